/**
 * What a link carries per time, as data: rates and encodings of PCIe generations 1 to 6 (PCIe Base 6.x
 * clauses 4.2 and 8), framing, and the recommended pace of Ack and UpdateFC DLLPs. Times are exact
 * integers in picoseconds.
 */

import { LocalError } from '../codec/refusal.ts';

export interface LinkGeneration {
  readonly generation: number;
  /** transfers per second and lane, in millions */
  readonly megaTransfers: number;
  readonly encoding: '8b/10b' | '128b/130b' | '1b/1b';
  /** data bits out of coded bits */
  readonly data: number;
  readonly coded: number;
  /** TLP bytes out of the bytes of a flit; equal where there are no flits */
  readonly flitTlpBytes: number;
  readonly flitBytes: number;
  /** STP, sequence number, LCRC and END of one TLP; a flit pays for them all together */
  readonly tlpFramingBytes: number;
  /** one DLLP on the wire: framing, four bytes and CRC; in flits they ride in the DLP bytes */
  readonly dllpBytes: number;
}

const eightTen = { encoding: '8b/10b', data: 8, coded: 10 } as const;
const block = { encoding: '128b/130b', data: 128, coded: 130 } as const;
const packets = { flitTlpBytes: 1, flitBytes: 1, tlpFramingBytes: 8, dllpBytes: 8 } as const;
const pam4 = { encoding: '1b/1b', data: 1, coded: 1 } as const;
const flits = { flitTlpBytes: 236, flitBytes: 256, tlpFramingBytes: 0, dllpBytes: 0 } as const;

/** By generation; index 0 is generation 1. */
export const LINK_GENERATIONS: readonly LinkGeneration[] = [
  { generation: 1, megaTransfers: 2500, ...eightTen, ...packets },
  { generation: 2, megaTransfers: 5000, ...eightTen, ...packets },
  { generation: 3, megaTransfers: 8000, ...block, ...packets },
  { generation: 4, megaTransfers: 16000, ...block, ...packets },
  { generation: 5, megaTransfers: 32000, ...block, ...packets },
  { generation: 6, megaTransfers: 64000, ...pam4, ...flits },
];
export const LINK_WIDTHS: readonly number[] = [1, 2, 4, 8, 12, 16, 32];

/** The row of a generation. @throws LocalError if there is none. */
export function linkGeneration(generation: number): LinkGeneration {
  const row = LINK_GENERATIONS[generation - 1];
  if (row === undefined) throw new LocalError(`generation: expected 1..6, got ${generation}`);
  return row;
}

function checkWidth(width: number): void {
  if (!LINK_WIDTHS.includes(width))
    throw new LocalError(`width: expected one of ${LINK_WIDTHS.join(', ')}, got ${width}`);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Picoseconds per byte on one lane as a reduced fraction, flit overhead included. */
interface Pace {
  readonly ps: number;
  readonly bytes: number;
}
const MICRO = 1_000_000;
const PACES: readonly Pace[] = LINK_GENERATIONS.map((row) => {
  const ps = 8 * row.coded * MICRO * row.flitBytes;
  const bytes = row.data * row.megaTransfers * row.flitTlpBytes;
  const common = gcd(ps, bytes);
  return { ps: ps / common, bytes: bytes / common };
});

/**
 * Time `bytes` take on the wire in picoseconds, rounded up: exact integer arithmetic after coding and,
 * for generation 6, after the flit's share for everything but TLPs. `bytes` include framing.
 * @throws LocalError on a generation or width that does not exist, or bytes beyond exact arithmetic.
 */
export function serialisationPs(generation: number, width: number, bytes: number): number {
  linkGeneration(generation);
  checkWidth(width);
  const pace = PACES[generation - 1]!;
  const ps = bytes * pace.ps;
  if (!Number.isSafeInteger(bytes) || bytes < 0 || !Number.isSafeInteger(ps))
    throw new LocalError(`bytes: expected a count that stays exact, got ${bytes}`);
  const per = pace.bytes * width;
  const rest = ps % per;
  return (ps - rest) / per + (rest === 0 ? 0 : 1);
}

/** Bytes a TLP of `tlpBytes` occupies, framing included. */
export function wireBytes(generation: number, tlpBytes: number): number {
  return tlpBytes + linkGeneration(generation).tlpFramingBytes;
}

/** Time of one TLP on the wire, framing included; see `serialisationPs`. */
export function tlpPs(generation: number, width: number, tlpBytes: number): number {
  return serialisationPs(generation, width, wireBytes(generation, tlpBytes));
}

/** Time of one DLLP on the wire; 0 in flits. */
export function dllpPs(generation: number, width: number): number {
  return serialisationPs(generation, width, linkGeneration(generation).dllpBytes);
}

/** Bytes per second after coding (generation 6: bytes of flits, the 236 of 256 not yet taken off). */
export function rawBytesPerSecond(generation: number, width: number): number {
  const row = linkGeneration(generation);
  checkWidth(width);
  return (row.megaTransfers * MICRO * width * row.data) / row.coded / 8;
}

/** Bytes per second left for framed TLPs if nothing else were sent. */
export function tlpBytesPerSecond(generation: number, width: number): number {
  const row = linkGeneration(generation);
  return (rawBytesPerSecond(generation, width) * row.flitTlpBytes) / row.flitBytes;
}

const INTERVAL_WIDTHS: readonly number[] = [1, 2, 4, 8, 16];
/**
 * Ack and UpdateFC transmission intervals recommended at 8 GT/s and above, in symbol times, for
 * Max_Payload_Size and the widths x1, x2, x4, x8, x16.
 */
export const DLLP_INTERVAL_SYMBOLS: Readonly<Record<number, readonly number[]>> = {
  128: [333, 224, 169, 163, 144],
  256: [512, 313, 214, 203, 168],
  512: [655, 385, 250, 182, 182],
};

/** The recommended interval; undefined where the table has no entry. */
export function dllpIntervalSymbols(maxPayload: number, width: number): number | undefined {
  return DLLP_INTERVAL_SYMBOLS[maxPayload]?.[INTERVAL_WIDTHS.indexOf(width)];
}

/** SKP ordered sets at 8 GT/s and above: so many symbols in so many. */
export const SKP_SYMBOLS = 4;
export const SKP_INTERVAL_SYMBOLS = 1538;
