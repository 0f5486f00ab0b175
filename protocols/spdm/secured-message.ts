/**
 * Secured message records (DSP0277): SessionID, sequence number as the transport carries it, Length,
 * then the sealed application data with its length. One `RecordDirection` per direction and key phase.
 */

import { concat, le, readLE, writeLE } from '../codec/bytes.ts';
import { bytes as bytesField, layout, lengthOf, u32 } from '../codec/field.ts';
import { decode } from '../codec/layout.ts';
import { type Decoded, LocalError, RefusalCodes, refuse } from '../codec/refusal.ts';
import { type AeadName, aeadAlgorithms } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import type { TrafficKeys } from './key-schedule.ts';

/** How a transport binding carries records. */
export interface RecordBinding {
  readonly name: 'PCI_DOE' | 'MCTP';
  /** low-order bytes of the sequence number on the wire: 0 on DOE, 2 on MCTP */
  readonly sequenceBytes: number;
}
export const doeBinding: RecordBinding = { name: 'PCI_DOE', sequenceBytes: 0 };
export const mctpBinding: RecordBinding = { name: 'MCTP', sequenceBytes: 2 };

/** On MCTP a sealed message keeps its message type byte in front (DSP0276). */
const MCTP_SPDM = 0x05;

/** An SPDM message as the application data of a record. */
export function toApplicationData(binding: RecordBinding, message: Uint8Array): Uint8Array {
  return binding.name === 'MCTP' ? concat(Uint8Array.of(MCTP_SPDM), message) : message;
}

/** The SPDM message in a record's application data; refused if it is another protocol's. */
export function fromApplicationData(
  binding: RecordBinding,
  data: Decoded<Uint8Array>,
): Decoded<Uint8Array> {
  if (!data.ok || binding.name !== 'MCTP') return data;
  if (data.value[0] !== MCTP_SPDM)
    return refuse(RefusalCodes.UNKNOWN_CODE, 'MessageType', 0, `not SPDM: ${data.value[0]}`);
  return { ok: true, value: data.value.subarray(1), size: data.size - 1 };
}

/** On MCTP a session carries messages of other types as well (DSP0276). */
export const isOtherProtocol = (binding: RecordBinding, data: Uint8Array): boolean =>
  binding.name === 'MCTP' && data.length > 0 && data[0] !== MCTP_SPDM;

/** 2^53 records last longer than any run; past it the IV could no longer be told exactly. */
const SEQUENCE_LIMIT = Number.MAX_SAFE_INTEGER;
const LENGTH_MAX = 0xffff;
/** SessionID and Length. */
const RECORD_HEAD_SIZE = 6;

export interface RecordDirection {
  readonly keys: TrafficKeys;
  sequence: number;
}

export interface RecordScope {
  readonly crypto: CryptoProvider;
  readonly aead: AeadName;
  readonly binding: RecordBinding;
  /** both sides ENCRYPT_CAP; else MAC only: the application data stays readable */
  readonly encrypted: boolean;
  /** sequence numbers stay below this (AEAD limit of DSP0277 1.3); default: as far as they are exact */
  readonly sequenceLimit?: number;
}

/** The first sequence number that may not be used. */
export const recordLimit = ({ sequenceLimit = SEQUENCE_LIMIT }: RecordScope): number =>
  Math.min(sequenceLimit, SEQUENCE_LIMIT);

/** IV salt XOR the 64-bit little-endian sequence number in its first eight bytes (DSP0277 1.2). */
export function recordIv(salt: Uint8Array, sequence: number): Uint8Array {
  const iv = salt.slice();
  const counter = new Uint8Array(8);
  writeLE(counter, 0, 8, sequence);
  for (let i = 0; i < 8; i++) iv[i] = iv[i]! ^ counter[i]!;
  return iv;
}

const recordLayout = (sequenceBytes: number) =>
  layout('SecuredMessage', 'DSP0277 6', {
    SessionID: u32(),
    SequenceNumber: bytesField(sequenceBytes),
    Length: lengthOf('Sealed', 2),
    Sealed: bytesField((v) => v.Length),
  });
export const securedRecordLayouts = { PCI_DOE: recordLayout(0), MCTP: recordLayout(2) } as const;

/** SessionID of a record, without looking further; undefined if there are fewer than four bytes. */
export function recordSessionId(record: Uint8Array): number | undefined {
  return record.length < 4 ? undefined : readLE(record, 0, 4);
}

/** The most bytes of an SPDM message in one record: what Length can tell, less what surrounds it. */
export const recordRoom = ({ aead, encrypted, binding }: RecordScope): number =>
  LENGTH_MAX -
  aeadAlgorithms[aead].tagSize -
  (encrypted ? 2 : 0) -
  toApplicationData(binding, new Uint8Array(0)).length;

/** Bytes a record has besides the SPDM message in it. */
export const recordOverhead = (scope: RecordScope): number =>
  LENGTH_MAX - recordRoom(scope) + RECORD_HEAD_SIZE + scope.binding.sequenceBytes;

/**
 * Seals `message` as the next record of `direction`.
 * @throws LocalError past the AEAD limit or 2^53 records under one key, and on a message that Length cannot tell.
 */
export function sealRecord(
  scope: RecordScope,
  direction: RecordDirection,
  sessionId: number,
  message: Uint8Array,
): Uint8Array {
  if (direction.sequence >= recordLimit(scope))
    throw new LocalError('direction: sequence numbers are used up; update the keys');
  const { tagSize } = aeadAlgorithms[scope.aead];
  const text = scope.encrypted ? concat(le(message.length, 2), message) : message;
  if (text.length + tagSize > LENGTH_MAX)
    throw new LocalError(`message: ${message.length} bytes do not fit into one record`);
  const head = concat(
    le(sessionId, 4),
    le(direction.sequence, scope.binding.sequenceBytes),
    le(text.length + tagSize, 2),
  );
  const iv = recordIv(direction.keys.iv, direction.sequence);
  direction.sequence++;
  const { crypto, aead } = scope;
  if (scope.encrypted)
    return concat(head, crypto.aeadSeal(aead, direction.keys.key, iv, head, text));
  const none = new Uint8Array(0);
  return concat(
    head,
    text,
    crypto.aeadSeal(aead, direction.keys.key, iv, concat(head, text), none),
  );
}

/**
 * Opens the next record of `direction`; the sequence number moves on only if the tag was right.
 * Zero bytes after the record are a transport's DW padding and ignored.
 */
export function openRecord(
  scope: RecordScope,
  direction: RecordDirection,
  record: Uint8Array,
): Decoded<Uint8Array> {
  if (direction.sequence >= recordLimit(scope))
    return refuse(RefusalCodes.OVER_LIMIT, 'SequenceNumber', 4, 'past the AEAD limit of the key');
  const table = securedRecordLayouts[scope.binding.name];
  const parsed = decode(table, record, {}, { trailing: 'leave' });
  if (!parsed.ok) return parsed;
  const { tagSize } = aeadAlgorithms[scope.aead];
  const { Sealed, SequenceNumber } = parsed.value;
  const wire = readLE(SequenceNumber, 0, SequenceNumber.length);
  const expected = direction.sequence % 256 ** Math.max(1, SequenceNumber.length);
  if (SequenceNumber.length > 0 && wire !== expected)
    return refuse(RefusalCodes.BAD_VALUE, 'SequenceNumber', 4, `${wire}, expected ${expected}`);
  if (Sealed.length < tagSize)
    return refuse(RefusalCodes.BAD_LENGTH, 'Length', 4, `${Sealed.length} bytes hold no tag`);
  const head = record.subarray(0, parsed.size - Sealed.length);
  const iv = recordIv(direction.keys.iv, direction.sequence);
  const opened = scope.encrypted
    ? openEncrypted(scope, direction, iv, head, Sealed)
    : openMacOnly(scope, direction, iv, head, Sealed, tagSize);
  if (opened.ok) direction.sequence++;
  return opened;
}

const badTag = (at: number) => refuse(RefusalCodes.BAD_VALUE, 'Tag', at, 'the AEAD tag is wrong');

function openEncrypted(
  scope: RecordScope,
  direction: RecordDirection,
  iv: Uint8Array,
  head: Uint8Array,
  sealed: Uint8Array,
): Decoded<Uint8Array> {
  const text = scope.crypto.aeadOpen(scope.aead, direction.keys.key, iv, head, sealed);
  if (text === undefined) return badTag(head.length);
  if (text.length < 2)
    return refuse(RefusalCodes.TRUNCATED, 'ApplicationDataLength', head.length, 'no length inside');
  const size = readLE(text, 0, 2);
  if (size > text.length - 2)
    return refuse(
      RefusalCodes.BAD_LENGTH,
      'ApplicationDataLength',
      head.length,
      `${size} bytes announced, ${text.length - 2} sealed`,
    );
  return { ok: true, value: text.slice(2, 2 + size), size };
}

function openMacOnly(
  scope: RecordScope,
  direction: RecordDirection,
  iv: Uint8Array,
  head: Uint8Array,
  sealed: Uint8Array,
  tagSize: number,
): Decoded<Uint8Array> {
  const data = sealed.subarray(0, sealed.length - tagSize);
  const tag = sealed.subarray(sealed.length - tagSize);
  const aad = concat(head, data);
  if (scope.crypto.aeadOpen(scope.aead, direction.keys.key, iv, aad, tag) === undefined)
    return badTag(head.length);
  return { ok: true, value: data.slice(), size: data.length };
}
