/**
 * The messages a measurement signature covers, read back from their bytes: L1/L2 of DSP0274 10.11.1,
 * that is any number of GET_MEASUREMENTS / MEASUREMENTS pairs of which the last is signed, and from 1.2
 * on VCA, the six messages GET_VERSION .. ALGORITHMS, in front.
 */

import type { ValueOf } from '../../codec/field.ts';
import { decode } from '../../codec/layout.ts';
import {
  type Decoded,
  isPeerFault,
  type Refusal,
  RefusalCodes,
  refuse,
} from '../../codec/refusal.ts';
import type { Negotiated } from '../algorithms.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import { getMeasurements, measurements } from '../messages/auth.ts';
import {
  connectionFacts,
  decodeMessage,
  type KnownCode,
  type MessageValue,
} from '../messages/registry.ts';
import { negotiatedOf } from '../negotiate.ts';

export interface MeasurementPair {
  readonly request: ValueOf<typeof getMeasurements>;
  readonly response: ValueOf<typeof measurements>;
}

export interface MeasurementRecord {
  readonly version: number;
  /** all pairs in their order; the last one carries the signature */
  readonly pairs: readonly MeasurementPair[];
  readonly last: MeasurementPair;
  readonly signature: Uint8Array;
  /** the pairs without the signature */
  readonly signed: Uint8Array;
}

const PAIRS_MAX = 256;
const SIGNATURE_REQUESTED = 1;

const at = (refusal: Refusal, offset: number, path: string): Refusal => ({
  ...refusal,
  offset: refusal.offset + offset,
  path: refusal.path === '' ? path : `${path}.${refusal.path}`,
});

function isMessage(bytes: Uint8Array, offset: number, code: number): boolean {
  return bytes[offset + 1] === code;
}

function readPair(
  bytes: Uint8Array,
  offset: number,
  index: number,
  signatureSize: number,
): Decoded<MeasurementPair> {
  const version = bytes[offset] ?? 0;
  const requestPath = `GET_MEASUREMENTS[${index}]`;
  if (!isMessage(bytes, offset, RequestCodes.GET_MEASUREMENTS))
    return refuse(RefusalCodes.UNKNOWN_CODE, requestPath, offset, 'not a GET_MEASUREMENTS');
  const asked = decode(getMeasurements, bytes.subarray(offset), { version }, { trailing: 'leave' });
  if (!asked.ok) return at(asked, offset, requestPath);
  const from = offset + asked.size;
  const responsePath = `MEASUREMENTS[${index}]`;
  if (!isMessage(bytes, from, ResponseCodes.MEASUREMENTS))
    return refuse(RefusalCodes.UNKNOWN_CODE, responsePath, from, 'not a MEASUREMENTS');
  const signed = asked.value.Param1 & SIGNATURE_REQUESTED;
  const facts = { version, signed, signatureSize };
  const answer = decode(measurements, bytes.subarray(from), facts, { trailing: 'leave' });
  if (!answer.ok) return at(answer, from, responsePath);
  if (answer.value.SPDMVersion !== version)
    return refuse(
      RefusalCodes.BAD_VALUE,
      `${responsePath}.SPDMVersion`,
      from,
      'not the version asked',
    );
  const value = { request: asked.value, response: answer.value };
  return { ok: true, value, size: asked.size + answer.size };
}

/** Reads the pairs that fill `bytes`. @param signatureSize by the signer's key, in bytes */
export function readMeasurementRecord(
  bytes: Uint8Array,
  signatureSize: number,
): Decoded<MeasurementRecord> {
  const pairs: MeasurementPair[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const pair = readPair(bytes, offset, pairs.length, signatureSize);
    if (!pair.ok) return pair;
    if (pairs.at(-1)?.response.Signature !== undefined)
      return refuse(RefusalCodes.TRAILING, 'evidence', offset, 'more after the signature');
    if (pairs.length === PAIRS_MAX)
      return refuse(RefusalCodes.OVER_LIMIT, 'evidence', offset, `more than ${PAIRS_MAX} pairs`);
    offset += pair.size;
    pairs.push(pair.value);
  }
  const last = pairs.at(-1);
  const signature = last?.response.Signature;
  if (last === undefined || signature === undefined)
    return refuse(RefusalCodes.TRUNCATED, 'Signature', bytes.length, 'nothing here is signed');
  const version = last.request.SPDMVersion;
  if (pairs.some(({ request }) => request.SPDMVersion !== version))
    return refuse(RefusalCodes.BAD_VALUE, 'SPDMVersion', 0, 'messages of several versions');
  const signed = bytes.slice(0, bytes.length - signature.length);
  return { ok: true, value: { version, pairs, last, signature, signed }, size: bytes.length };
}

const vcaCodes = [
  RequestCodes.GET_VERSION,
  ResponseCodes.VERSION,
  RequestCodes.GET_CAPABILITIES,
  ResponseCodes.CAPABILITIES,
  RequestCodes.NEGOTIATE_ALGORITHMS,
  ResponseCodes.ALGORITHMS,
] as const;

/** What the connection agreed on, out of its six VCA messages, which must fill `bytes`. */
export function readVca(bytes: Uint8Array): Decoded<Negotiated> {
  const values: Record<string, unknown>[] = [];
  let offset = 0;
  for (const code of vcaCodes) {
    const version = bytes[offset] ?? 0;
    if (!isMessage(bytes, offset, code))
      return refuse(RefusalCodes.UNKNOWN_CODE, 'vca', offset, `message 0x${code.toString(16)}`);
    const message = decodeMessage(bytes.subarray(offset), connectionFacts(version), 'leave');
    if (!message.ok) return at(message, offset, 'vca');
    values.push(message.value);
    offset += message.size;
  }
  if (offset !== bytes.length)
    return refuse(RefusalCodes.TRAILING, 'vca', offset, `${bytes.length - offset} bytes left over`);
  const asked = values[2] as MessageValue<0xe1 & KnownCode>;
  const answered = values[3] as MessageValue<0x61 & KnownCode>;
  const offered = {
    version: answered.SPDMVersion,
    requesterFlags: (asked.Flags ?? 0) >>> 0,
    responderFlags: answered.Flags,
  };
  const negotiated = negotiatedOf(offered, values[5] as MessageValue<0x63 & KnownCode>);
  if (isPeerFault(negotiated))
    return refuse(RefusalCodes.BAD_VALUE, 'vca', offset, negotiated.detail);
  return { ok: true, value: negotiated, size: bytes.length };
}
