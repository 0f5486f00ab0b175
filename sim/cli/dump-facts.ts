/**
 * The few fields of a message worth a place on its line, by message name: a table of field paths in the
 * order they are shown. `--fields` shows all of them.
 */

import type { DescribedField } from '../../protocols/codec/describe.ts';
import { decodeKeySubStream } from '../../protocols/ide/idekm.ts';
import type { ChunkPlace } from '../../protocols/spdm/observer/observer.ts';
import type { DumpMessage } from './dump-read.ts';

type Format = (text: string) => string;
/**
 * Path of the field, what to call it on the line, how to write it there. Of several paths (`A|B`) the first
 * one counts whose field is not 0, else the first that is there.
 */
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

const PUBLIC_KEY = 0xff;
/** A parameter that is a slot, or has one in its low four bits. */
const slotNumber: Format = (text) =>
  numberOf(text) === PUBLIC_KEY ? 'public key' : `${numberOf(text) & 15}`;
const operationOf: Format = (text) => `${numberOf(text)}`;

const slot: Fact = ['Param1', 'slot', slotNumber];
const keyPair: Fact = ['KeyPairID', 'key pair', operationOf];
const session = (path: string): Fact => [path, 'session', hexNumber];

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
    ['BaseAsymSel|PqcAsymSel', 'sign'],
    ['BaseHashSel', 'hash'],
    ['MeasurementHashAlgo', 'measure'],
  ],
  DIGESTS: [['Param2', 'slots', hexNumber]],
  GET_CERTIFICATE: [slot, ['LargeOffset|Offset', 'offset'], ['LargeLength|Length', 'length']],
  CERTIFICATE: [
    slot,
    ['LargePortionLength|PortionLength', 'portion'],
    ['LargeRemainderLength|RemainderLength', 'remainder'],
  ],
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
    session('ReqSessionID'),
    ['Param2', 'slot', slotNumber],
    ['OpaqueData.SecuredMessageVersions', 'secured'],
  ],
  KEY_EXCHANGE_RSP: [
    session('RspSessionID'),
    ['Param1', 'heartbeat'],
    ['MutAuthRequested', 'mutual', hexNumber],
    ['OpaqueData.SecuredMessageVersion', 'secured'],
  ],
  PSK_EXCHANGE: [
    session('ReqSessionID'),
    ['PSKHint', 'hint'],
    ['OpaqueData.SecuredMessageVersions', 'secured'],
  ],
  PSK_EXCHANGE_RSP: [
    session('RspSessionID'),
    ['Param1', 'heartbeat'],
    ['OpaqueData.SecuredMessageVersion', 'secured'],
  ],
  KEY_UPDATE: [
    ['Param1', 'operation'],
    ['Param2', 'tag'],
  ],
  KEY_UPDATE_ACK: [
    ['Param1', 'operation'],
    ['Param2', 'tag'],
  ],
  ENCAPSULATED_RESPONSE_ACK: [['RequesterSlotID', 'slot', slotNumber]],
  GET_CSR: [['RequesterInfo.subject', 'subject']],
  CSR: [['CSRdata.subject', 'subject']],
  SET_CERTIFICATE: [slot, ['CertChain.Certificates[0].subject', 'root']],
  SET_CERTIFICATE_RSP: [slot],
  GET_KEY_PAIR_INFO: [keyPair],
  KEY_PAIR_INFO: [keyPair, ['TotalKeyPairs', 'of', operationOf], ['CurrentAsymAlgo', 'algorithm']],
  SET_KEY_PAIR_INFO: [keyPair, ['Param1', 'operation']],
  GET_ENDPOINT_INFO: [
    ['Param1', 'about'],
    ['Param2', 'slot', slotNumber],
    ['RequestAttributes', 'attributes', hexNumber],
  ],
  ENDPOINT_INFO: [
    ['Param2', 'slot', slotNumber],
    ['EPInfoLength', 'bytes'],
  ],
  GET_MEASUREMENT_EXTENSION_LOG: [
    ['Offset', 'offset'],
    ['Length', 'length'],
  ],
  MEASUREMENT_EXTENSION_LOG: [
    ['PortionLength', 'portion'],
    ['RemainderLength', 'remainder'],
    ['MEL.NumberOfEntries', 'entries'],
  ],
  SUPPORTED_EVENT_TYPES: [['Param1', 'groups', operationOf]],
  SUBSCRIBE_EVENT_TYPES: [['Param1', 'groups', operationOf]],
  SEND_EVENT: [
    ['EventCount', 'events'],
    ['EventsList[0].EventType', 'first'],
  ],
  RESPOND_IF_READY: [
    ['Param1', 'asked'],
    ['Param2', 'token'],
  ],
  ERROR: [
    ['Param1', 'error'],
    ['Param2', 'data'],
    ['Handle', 'handle'],
    ['RequestCode', 'asked'],
    ['Token', 'token'],
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
    const there = path.split('|').flatMap((one) => fields.find((each) => each.path === one) ?? []);
    const field = there.find(({ text }) => numberOf(text) !== 0) ?? there[0];
    return field === undefined ? [] : [`${label} ${format(field.text)}`];
  });
}

/** As `large message of 16869 bytes, chunk 3`; chunks count from 0, as ChunkSeqNo does. */
function chunkFacts({ sequence, largeMessageSize }: ChunkPlace): string[] {
  const size = largeMessageSize === undefined ? '' : ` of ${largeMessageSize} bytes`;
  return [`large message${size}`, `chunk ${sequence}`];
}

interface Shown {
  readonly name: string;
  readonly fields: readonly DescribedField[];
  readonly vendor: DumpMessage['vendor'];
  readonly chunk?: ChunkPlace | undefined;
}

/** The facts of one message, as `slot 0`, `blocks 8`. */
export function keyFacts(message: Shown): string[] {
  const { vendor, chunk } = message;
  if (chunk !== undefined) return chunkFacts(chunk);
  if (vendor !== undefined && vendor.protocol !== 'encapsulated')
    return pick(vendorFacts, vendor.fields);
  const { name, fields } = vendor ?? message;
  return Object.hasOwn(factsByName, name) ? pick(factsByName[name]!, fields) : [];
}
