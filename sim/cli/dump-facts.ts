/**
 * The few fields of a message worth a place on its line, by message name: a table of field paths in the
 * order they are shown. `--fields` shows all of them.
 */

import type { DescribedField } from '../../protocols/codec/describe.ts';
import { decodeKeySubStream } from '../../protocols/ide/idekm.ts';
import type { DumpMessage } from './dump-read.ts';

type Format = (text: string) => string;
/** path of the field, what to call it on the line, how to write it there */
type Fact = readonly [path: string, label: string, format?: Format];

const numberOf = (text: string) =>
  Number.parseInt(text.split(' ')[0]!, text.startsWith('0x') ? 16 : 10);

/** An entry of VERSION: bits 15:12 major, 11:8 minor. */
const versionEntry: Format = (text) => `${numberOf(text) >> 12}.${(numberOf(text) >> 8) & 15}`;
const hexNumber: Format = (text) => `0x${numberOf(text).toString(16)}`;
const lastWord: Format = (text) => text.split(' ').at(-1)!;

const subStreams = ['PR', 'NPR', 'CPL'];
/** Key set, direction and sub-stream, as `K0 Tx NPR` (PCIe Base 6.x 6.33.3). */
const keySubStream: Format = (text) => {
  const { keySet, direction, subStream } = decodeKeySubStream(numberOf(text));
  return `K${keySet} ${direction === 'RX' ? 'Rx' : 'Tx'} ${subStreams[subStream] ?? subStream}`;
};

const slot: Fact = ['Param1', 'slot'];

const factsByName: Readonly<Record<string, readonly Fact[]>> = {
  'DOE Discovery request': [['Index', 'index']],
  'DOE Discovery response': [
    ['VendorID', 'vendor'],
    ['DataObjectType', 'type'],
    ['NextIndex', 'next'],
  ],
  VERSION: [['VersionNumberEntry[0]', 'version', versionEntry]],
  GET_CAPABILITIES: [
    ['DataTransferSize', 'transfer'],
    ['MaxSPDMmsgSize', 'max'],
  ],
  CAPABILITIES: [
    ['DataTransferSize', 'transfer'],
    ['MaxSPDMmsgSize', 'max'],
  ],
  ALGORITHMS: [
    ['BaseAsymSel', 'sign'],
    ['BaseHashSel', 'hash'],
    ['MeasurementHashAlgo', 'measure'],
  ],
  DIGESTS: [['Param2', 'slots', hexNumber]],
  GET_CERTIFICATE: [slot, ['Offset', 'offset'], ['Length', 'length']],
  CERTIFICATE: [slot, ['PortionLength', 'portion'], ['RemainderLength', 'remainder']],
  CHALLENGE: [slot],
  CHALLENGE_AUTH: [slot],
  GET_MEASUREMENTS: [
    ['Param1', 'attributes', hexNumber],
    ['Param2', 'operation', hexNumber],
  ],
  MEASUREMENTS: [
    ['NumberOfBlocks', 'blocks'],
    ['MeasurementRecordLength', 'bytes'],
  ],
  KEY_EXCHANGE: [
    ['ReqSessionID', 'session', hexNumber],
    ['Param2', 'slot'],
  ],
  KEY_EXCHANGE_RSP: [
    ['RspSessionID', 'session', hexNumber],
    ['Param1', 'heartbeat'],
    ['MutAuthRequested', 'mutual', hexNumber],
  ],
  PSK_EXCHANGE: [['ReqSessionID', 'session', hexNumber]],
  PSK_EXCHANGE_RSP: [['RspSessionID', 'session', hexNumber]],
  KEY_UPDATE: [
    ['Param1', 'operation'],
    ['Param2', 'tag'],
  ],
  KEY_UPDATE_ACK: [
    ['Param1', 'operation'],
    ['Param2', 'tag'],
  ],
  ERROR: [
    ['Param1', 'error'],
    ['Param2', 'data'],
  ],
};

/** Fields of vendor messages, shown wherever they occur. */
const vendorFacts: readonly Fact[] = [
  ['PortIndex', 'port'],
  ['MaxPortIndex', 'maxPort'],
  ['StreamID', 'stream'],
  ['KeySubStream', 'key', keySubStream],
  ['Status', 'status'],
  ['INTERFACE_ID.FUNCTION_ID', 'function', lastWord],
  ['TDI_STATE', 'state'],
  ['DEFAULT_STREAM_ID', 'stream'],
  ['OFFSET', 'offset'],
  ['LENGTH', 'length'],
  ['PORTION_LENGTH', 'portion'],
  ['REMAINDER_LENGTH', 'remainder'],
  ['ERROR_CODE', 'error'],
  ['CKID', 'ckid'],
  ['CurrentTSPState', 'state'],
  ['ErrorCode', 'error'],
];

const SHOWN_MAX = 40;

/** A field's text for a line: of `0x80 ECDSA_P384` the name, of `0x1200 (4608)` the number. */
function shortText(text: string): string {
  const named = /^0x[0-9a-f]+ (.+)$/.exec(text);
  const plain = named === null ? text : named[1]!.replace(/^\((\d+)\)$/, '$1');
  return plain.length > SHOWN_MAX ? `${plain.slice(0, SHOWN_MAX)}...` : plain;
}

function pick(facts: readonly Fact[], fields: readonly DescribedField[]): string[] {
  return facts.flatMap(([path, label, format = shortText]) => {
    const field = fields.find((one) => one.path === path);
    return field === undefined ? [] : [`${label} ${format(field.text)}`];
  });
}

/** The facts of one message, as `slot 0`, `blocks 8`. */
export function keyFacts(message: DumpMessage): string[] {
  const { vendor } = message;
  if (vendor !== undefined && vendor.protocol !== 'encapsulated')
    return pick(vendorFacts, vendor.fields);
  const { name, fields } = vendor ?? message;
  return Object.hasOwn(factsByName, name) ? pick(factsByName[name]!, fields) : [];
}
