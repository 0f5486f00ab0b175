/**
 * Classic pcap files as pure bytes: a writer for captures of a run and a reader for ours and theirs. The
 * writer makes the little-endian, microsecond form; the reader takes either byte order and nanoseconds
 * too. A broken file ends in a named fault after the records before it; reading never throws on bytes.
 */

import { LocalError } from '../../protocols/codec/refusal.ts';

/** Link types registered for what travels here. */
export const LinkTypes = { MCTP: 291, PCI_DOE: 292 } as const;

export const PCAP_HEADER_BYTES = 24;
export const PCAP_RECORD_HEADER_BYTES = 16;
/** The largest data object with room to spare. */
export const SNAP_BYTES_DEFAULT = 0x200000;
/** A record above this is taken for a broken length rather than a packet. */
export const RECORD_BYTES_MAX = 0x4000000;

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const VERSION_MAJOR = 2;
const VERSION_MINOR = 4;
const PS_PER_US = 1_000_000;
const PS_PER_NS = 1_000;
const US_PER_S = 1_000_000;
const NS_PER_S = 1_000_000_000;
const LINK_TYPE_MASK = 0xffff;

export interface PcapHeader {
  readonly linkType: number;
  /** the most bytes of a packet the capture keeps */
  readonly snapLength: number;
  readonly littleEndian: boolean;
  readonly unit: 'us' | 'ns';
  readonly versionMajor: number;
  readonly versionMinor: number;
}

export interface PcapRecord {
  /** counts from 0 */
  readonly index: number;
  /** byte offset of the record's header in the file */
  readonly offset: number;
  readonly seconds: number;
  /** within the second; `unit` of the header scales what the file has */
  readonly nanoseconds: number;
  /** bytes of the packet on the wire; more than `bytes` where the capture cut it */
  readonly originalLength: number;
  readonly bytes: Uint8Array;
}

export const PcapFaults = {
  /** fewer bytes than a file header */
  TRUNCATED_HEADER: 'TRUNCATED_HEADER',
  /** the first four bytes are no classic pcap's */
  BAD_MAGIC: 'BAD_MAGIC',
  /** a version whose records are laid out otherwise */
  BAD_VERSION: 'BAD_VERSION',
  /** the file ends within a record's header */
  TRUNCATED_RECORD_HEADER: 'TRUNCATED_RECORD_HEADER',
  /** the file ends within a record's bytes */
  TRUNCATED_RECORD: 'TRUNCATED_RECORD',
  /** a captured length above any packet's, or above the original one */
  BAD_RECORD_LENGTH: 'BAD_RECORD_LENGTH',
  /** a fraction of a second of a second or more */
  BAD_TIMESTAMP: 'BAD_TIMESTAMP',
} as const;
export type PcapFaultCode = (typeof PcapFaults)[keyof typeof PcapFaults];

export interface PcapFault {
  readonly code: PcapFaultCode;
  /** byte offset of the header that could not be read */
  readonly offset: number;
  /** records read before it */
  readonly records: number;
  readonly detail: string;
}

export interface PcapFile {
  /** undefined if the file header itself is broken */
  readonly header: PcapHeader | undefined;
  readonly records: readonly PcapRecord[];
  readonly fault: PcapFault | undefined;
}

/** One line for a person. */
export function pcapFaultText(fault: PcapFault): string {
  return `${fault.code} at byte ${fault.offset}, after ${fault.records} records: ${fault.detail}`;
}

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function unsigned(name: string, value: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > max)
    throw new LocalError(`${name}: expected 0..${max}, got ${value}`);
}

/** The 24 bytes a file starts with. @throws LocalError on a link type or snap length out of range */
export function encodePcapHeader(
  linkType: number,
  snapLength: number = SNAP_BYTES_DEFAULT,
): Uint8Array {
  unsigned('linkType', linkType, 0xffff);
  unsigned('snapLength', snapLength, RECORD_BYTES_MAX);
  const out = new Uint8Array(PCAP_HEADER_BYTES);
  const view = viewOf(out);
  view.setUint32(0, MAGIC_MICROSECONDS, true);
  view.setUint16(4, VERSION_MAJOR, true);
  view.setUint16(6, VERSION_MINOR, true);
  view.setUint32(16, snapLength, true);
  view.setUint32(20, linkType, true);
  return out;
}

/**
 * One record: header and as many bytes as the snap length allows. `timePs` is simulated time; what is
 * below a microsecond is dropped.
 * @throws LocalError on a time that is no unsigned integer
 */
export function encodePcapRecord(
  timePs: number,
  bytes: Uint8Array,
  snapLength: number = SNAP_BYTES_DEFAULT,
): Uint8Array {
  unsigned('timePs', timePs, Number.MAX_SAFE_INTEGER);
  const kept = Math.min(bytes.length, snapLength);
  const us = Math.floor(timePs / PS_PER_US);
  const out = new Uint8Array(PCAP_RECORD_HEADER_BYTES + kept);
  const view = viewOf(out);
  view.setUint32(0, Math.floor(us / US_PER_S), true);
  view.setUint32(4, us % US_PER_S, true);
  view.setUint32(8, kept, true);
  view.setUint32(12, bytes.length, true);
  out.set(bytes.subarray(0, kept), PCAP_RECORD_HEADER_BYTES);
  return out;
}

/** Collects a capture; what it hands out is to be written to a file in order. */
export class PcapWriter {
  readonly linkType: number;
  readonly snapLength: number;
  readonly #emit: (bytes: Uint8Array) => void;
  #records = 0;

  /**
   * @param emit receives the file header at once, then each record
   * @throws LocalError on a link type or snap length out of range
   */
  constructor(
    linkType: number,
    emit: (bytes: Uint8Array) => void,
    snapLength: number = SNAP_BYTES_DEFAULT,
  ) {
    this.linkType = linkType;
    this.snapLength = snapLength;
    this.#emit = emit;
    emit(encodePcapHeader(linkType, snapLength));
  }

  get records(): number {
    return this.#records;
  }

  /** Appends one packet seen at `timePs`. */
  write(timePs: number, bytes: Uint8Array): void {
    this.#emit(encodePcapRecord(timePs, bytes, this.snapLength));
    this.#records++;
  }
}

function fault(code: PcapFaultCode, offset: number, records: number, detail: string): PcapFault {
  return { code, offset, records, detail };
}

function isFault(x: PcapHeader | PcapRecord | PcapFault): x is PcapFault {
  return 'code' in x;
}

/** The file header alone. */
export function decodePcapHeader(bytes: Uint8Array): PcapHeader | PcapFault {
  if (bytes.length < PCAP_HEADER_BYTES)
    return fault(
      PcapFaults.TRUNCATED_HEADER,
      0,
      0,
      `${bytes.length} of ${PCAP_HEADER_BYTES} bytes`,
    );
  const view = viewOf(bytes);
  const little = view.getUint32(0, true);
  const littleEndian = little === MAGIC_MICROSECONDS || little === MAGIC_NANOSECONDS;
  const magic = littleEndian ? little : view.getUint32(0, false);
  if (magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS)
    return fault(PcapFaults.BAD_MAGIC, 0, 0, `${magic.toString(16).padStart(8, '0')}`);
  const versionMajor = view.getUint16(4, littleEndian);
  const versionMinor = view.getUint16(6, littleEndian);
  if (versionMajor !== VERSION_MAJOR || versionMinor !== VERSION_MINOR)
    return fault(PcapFaults.BAD_VERSION, 4, 0, `${versionMajor}.${versionMinor}`);
  return {
    littleEndian,
    unit: magic === MAGIC_NANOSECONDS ? 'ns' : 'us',
    versionMajor,
    versionMinor,
    snapLength: view.getUint32(16, littleEndian),
    // The upper bits may say how long a frame check sequence is.
    linkType: view.getUint32(20, littleEndian) & LINK_TYPE_MASK,
  };
}

function decodeRecord(
  bytes: Uint8Array,
  header: PcapHeader,
  offset: number,
  index: number,
): PcapRecord | PcapFault {
  const left = bytes.length - offset - PCAP_RECORD_HEADER_BYTES;
  if (left < 0)
    return fault(
      PcapFaults.TRUNCATED_RECORD_HEADER,
      offset,
      index,
      `${left + PCAP_RECORD_HEADER_BYTES} of ${PCAP_RECORD_HEADER_BYTES} bytes`,
    );
  const view = viewOf(bytes);
  const word = (at: number) => view.getUint32(offset + at, header.littleEndian);
  const fraction = word(4);
  const length = word(8);
  const originalLength = word(12);
  if (length > RECORD_BYTES_MAX || length > originalLength)
    return fault(
      PcapFaults.BAD_RECORD_LENGTH,
      offset,
      index,
      `${length} bytes captured of ${originalLength}`,
    );
  if (fraction >= (header.unit === 'ns' ? NS_PER_S : US_PER_S))
    return fault(PcapFaults.BAD_TIMESTAMP, offset, index, `${fraction} ${header.unit}`);
  if (length > left)
    return fault(PcapFaults.TRUNCATED_RECORD, offset, index, `${left} of ${length} bytes`);
  const start = offset + PCAP_RECORD_HEADER_BYTES;
  return {
    index,
    offset,
    seconds: word(0),
    nanoseconds: header.unit === 'ns' ? fraction : fraction * PS_PER_NS,
    originalLength,
    bytes: bytes.subarray(start, start + length),
  };
}

/**
 * Yields the records of a file in order and returns the fault that ended it, or undefined at a clean end.
 * A record's bytes are a view of `bytes`.
 */
export function* pcapRecords(bytes: Uint8Array): Generator<PcapRecord, PcapFault | undefined> {
  const header = decodePcapHeader(bytes);
  if (isFault(header)) return header;
  let offset = PCAP_HEADER_BYTES;
  for (let index = 0; offset < bytes.length; index++) {
    const record = decodeRecord(bytes, header, offset, index);
    if (isFault(record)) return record;
    yield record;
    offset += PCAP_RECORD_HEADER_BYTES + record.bytes.length;
  }
  return undefined;
}

/** Reads a whole file. */
export function readPcap(bytes: Uint8Array): PcapFile {
  const header = decodePcapHeader(bytes);
  if (isFault(header)) return { header: undefined, records: [], fault: header };
  const records: PcapRecord[] = [];
  const walk = pcapRecords(bytes);
  for (let step = walk.next(); ; step = walk.next()) {
    if (step.done === true) return { header, records, fault: step.value };
    records.push(step.value);
  }
}
