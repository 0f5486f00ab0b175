/**
 * Non-flit header layouts as bit-field tables (PCIe Base 6.x clauses 2.2.1 to 2.2.9). A field is one or
 * more pieces, most significant first, since Tag and Attr are scattered; bits no field names are
 * reserved. `header-codec.ts` encodes, decodes, prints and mutates by these tables.
 */

import { readDwBE, writeDwBE } from '../codec/bytes.ts';
import { COMPLETION_STATUS_NAMES, type HeaderFormatName, MESSAGE_CODES } from './codes.ts';

/** Where a run of bits stands: DW from the start of the header, least significant bit, width. */
export interface BitPiece {
  readonly dw: number;
  readonly lsb: number;
  readonly width: number;
}

export interface BitField {
  readonly pieces: readonly BitPiece[];
  /** bits of all pieces together, at most 32 */
  readonly width: number;
  readonly meaning: string;
  readonly names?: Readonly<Record<number, string>>;
  /** how a person writes the value: a function's bus:device.function, hex or decimal */
  readonly shown?: 'bdf' | 'hex';
}

/** Field name, as the specification spells it, to its place; in header order. */
export type HeaderFormat = Readonly<Record<string, BitField>>;

type Place = readonly [dw: number, lsb: number, width: number];
type Extras = Omit<BitField, 'pieces' | 'width' | 'meaning'>;

function split(places: readonly Place[], meaning: string, extras: Extras = {}): BitField {
  const pieces = places.map(([dw, lsb, width]) => ({ dw, lsb, width }));
  return { pieces, width: pieces.reduce((sum, { width }) => sum + width, 0), meaning, ...extras };
}
const bits = (dw: number, lsb: number, width: number, meaning: string, extras: Extras = {}) =>
  split([[dw, lsb, width]], meaning, extras);

const FMT_NAMES = {
  0: '3 DW header, no data',
  1: '4 DW header, no data',
  2: '3 DW header, with data',
  3: '4 DW header, with data',
  4: 'TLP Prefix',
};
const AT_NAMES = { 0: 'untranslated', 1: 'translation request', 2: 'translated' };
const MESSAGE_NAMES = Object.fromEntries(MESSAGE_CODES.map(({ code, name }) => [code, name]));

/** DW0, the same in every non-flit header, but for the Tag, which ends in a later DW. */
const DW0 = {
  Fmt: bits(0, 29, 3, 'size of the header and presence of data', { names: FMT_NAMES }),
  Type: bits(0, 24, 5, 'TLP type, with Fmt', { shown: 'hex' }),
  TC: bits(0, 20, 3, 'traffic class'),
  Attr: split(
    [
      [0, 18, 1],
      [0, 12, 2],
    ],
    'ID-based ordering, relaxed ordering, no snoop',
  ),
  LN: bits(0, 17, 1, 'lightweight notification (deprecated)'),
  TH: bits(0, 16, 1, 'TPH present'),
  TD: bits(0, 15, 1, 'TLP digest (ECRC) present'),
  EP: bits(0, 14, 1, 'poisoned'),
  AT: bits(0, 10, 2, 'address type', { names: AT_NAMES }),
  Length: bits(0, 0, 10, 'payload or requested DW, 0 means 1024'),
} as const;

/** Tag[9], Tag[8] in DW0 and Tag[7:0] in `dw`. */
const tagEndingIn = (dw: number) =>
  split(
    [
      [0, 23, 1],
      [0, 19, 1],
      [dw, 8, 8],
    ],
    'transaction tag',
  );

const REQUEST = {
  ...DW0,
  'Requester ID': bits(1, 16, 16, 'who asks', { shown: 'bdf' }),
  Tag: tagEndingIn(1),
} as const;
const BYTE_ENABLES = {
  'Last DW BE': bits(1, 4, 4, 'byte enables of the last DW', { shown: 'hex' }),
  'First DW BE': bits(1, 0, 4, 'byte enables of the first DW', { shown: 'hex' }),
} as const;
const MESSAGE = {
  ...REQUEST,
  'Message Code': bits(1, 0, 8, 'what the message says', { names: MESSAGE_NAMES, shown: 'hex' }),
} as const;
const BODY = { shown: 'hex' } as const;

const memory32: HeaderFormat = {
  ...REQUEST,
  ...BYTE_ENABLES,
  'Address[31:2]': bits(2, 2, 30, 'DW address', { shown: 'hex' }),
  PH: bits(2, 0, 2, 'processing hint'),
};
const memory64: HeaderFormat = {
  ...REQUEST,
  ...BYTE_ENABLES,
  'Address[63:32]': bits(2, 0, 32, 'upper address', { shown: 'hex' }),
  'Address[31:2]': bits(3, 2, 30, 'lower DW address', { shown: 'hex' }),
  PH: bits(3, 0, 2, 'processing hint'),
};
const config: HeaderFormat = {
  ...REQUEST,
  ...BYTE_ENABLES,
  'Destination ID': bits(2, 16, 16, 'bus, device and function addressed', { shown: 'bdf' }),
  'Ext Register Number': bits(2, 8, 4, 'register number, upper bits'),
  'Register Number': bits(2, 2, 6, 'register number in DW'),
};
const message: HeaderFormat = {
  ...MESSAGE,
  'Body[63:32]': bits(2, 0, 32, 'message specific', BODY),
  'Body[31:0]': bits(3, 0, 32, 'message specific', BODY),
};
const messageById: HeaderFormat = {
  ...MESSAGE,
  'Destination ID': bits(2, 16, 16, 'function addressed', { shown: 'bdf' }),
  'Body[47:32]': bits(2, 0, 16, 'message specific', BODY),
  'Body[31:0]': bits(3, 0, 32, 'message specific', BODY),
};
const messageByAddress: HeaderFormat = {
  ...MESSAGE,
  'Address[63:32]': bits(2, 0, 32, 'upper address', { shown: 'hex' }),
  'Address[31:2]': bits(3, 2, 30, 'lower DW address', { shown: 'hex' }),
};
const completion: HeaderFormat = {
  ...DW0,
  'Completer ID': bits(1, 16, 16, 'who answers', { shown: 'bdf' }),
  'Completion Status': bits(1, 13, 3, 'outcome', { names: COMPLETION_STATUS_NAMES }),
  BCM: bits(1, 12, 1, 'byte count modified (PCI-X)'),
  'Byte Count': bits(1, 0, 12, 'bytes left, these included; 0 means 4096'),
  'Requester ID': bits(2, 16, 16, 'who asked', { shown: 'bdf' }),
  Tag: tagEndingIn(2),
  'Lower Address': bits(2, 0, 7, 'low bits of the first byte address', { shown: 'hex' }),
};

/** Every header layout by name. */
export const HEADER_FORMATS: Readonly<Record<HeaderFormatName, HeaderFormat>> = {
  memory32,
  memory64,
  config,
  message,
  messageById,
  messageByAddress,
  completion,
};

/** Value of `field` in the header at byte `header` of `bytes`. */
export function readField(bytes: Uint8Array, header: number, field: BitField): number {
  let value = 0;
  for (const { dw, lsb, width } of field.pieces) {
    const word = readDwBE(bytes, header + 4 * dw);
    value = value * 2 ** width + (Math.floor(word / 2 ** lsb) % 2 ** width);
  }
  return value;
}

/** Replaces `field` in the header at byte `header`; bits of `value` past the field's width are dropped. */
export function writeField(
  bytes: Uint8Array,
  header: number,
  field: BitField,
  value: number,
): void {
  let left = field.width;
  for (const { dw, lsb, width } of field.pieces) {
    left -= width;
    const part = Math.floor(value / 2 ** left) % 2 ** width;
    const at = header + 4 * dw;
    const word = readDwBE(bytes, at);
    const old = Math.floor(word / 2 ** lsb) % 2 ** width;
    writeDwBE(bytes, at, word + (part - old) * 2 ** lsb);
  }
}
