/**
 * Evidence taken apart: VCA, the messages that fetched the certificates (B), CHALLENGE and CHALLENGE_AUTH
 * (C), and measurements (L), in this order as far as they are there. DSP0274 15 calls what is signed
 * M1/M2 = A || B || C and L1/L2 = A || L, where A is VCA.
 */

import { concat, equal } from '../../codec/bytes.ts';
import {
  type Decoded,
  isPeerFault,
  type Refusal,
  RefusalCodes,
  refuse,
} from '../../codec/refusal.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import type { Negotiated } from '../algorithms.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import { leafKeyOfChain } from '../leaf-key.ts';
import {
  connectionFacts,
  decodeMessage,
  encapsulatedFacts,
  type KnownCode,
  type MessageValue,
} from '../messages/registry.ts';
import { negotiatedOf, summaryPresent } from '../negotiate.ts';
import { ObservedIdentity } from '../observer/identity.ts';
import { doeBinding } from '../secured-message.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;

/** Who signed: the responder, or the requester in answer to an encapsulated CHALLENGE. */
export type EvidenceRole = 'responder' | 'requester';

export const refusalAt = (refusal: Refusal, offset: number, path: string): Refusal => ({
  ...refusal,
  offset: refusal.offset + offset,
  path: refusal.path === '' ? path : `${path}.${refusal.path}`,
});

const codeAt = (bytes: Uint8Array, offset: number): number | undefined => bytes[offset + 1];

const vcaCodes = [
  RequestCodes.GET_VERSION,
  ResponseCodes.VERSION,
  RequestCodes.GET_CAPABILITIES,
  ResponseCodes.CAPABILITIES,
  RequestCodes.NEGOTIATE_ALGORITHMS,
  ResponseCodes.ALGORITHMS,
] as const;

/** What a connection agreed on, out of the six VCA messages that `bytes` starts with. */
function readVcaPrefix(bytes: Uint8Array): Decoded<Negotiated> {
  const values: Record<string, unknown>[] = [];
  let offset = 0;
  for (const code of vcaCodes) {
    const version = bytes[offset] ?? 0;
    if (codeAt(bytes, offset) !== code)
      return refuse(RefusalCodes.UNKNOWN_CODE, 'vca', offset, `message 0x${code.toString(16)}`);
    const message = decodeMessage(bytes.subarray(offset), connectionFacts(version), 'leave');
    if (!message.ok) return refusalAt(message, offset, 'vca');
    values.push(message.value);
    offset += message.size;
  }
  const asked = values[2] as Value<0xe1>;
  const answered = values[3] as Value<0x61>;
  const offered = {
    version: answered.SPDMVersion,
    requesterFlags: (asked.Flags ?? 0) >>> 0,
    responderFlags: answered.Flags,
    otherParams: (values[4] as Value<0xe3>).OtherParamsSupport,
  };
  const negotiated = negotiatedOf(offered, values[5] as Value<0x63>);
  if (isPeerFault(negotiated))
    return refuse(RefusalCodes.BAD_VALUE, 'vca', offset, negotiated.detail);
  return { ok: true, value: negotiated, size: offset };
}

/** The same of six messages that fill `bytes`. */
export function readVca(bytes: Uint8Array): Decoded<Negotiated> {
  const vca = readVcaPrefix(bytes);
  if (!vca.ok || vca.size === bytes.length) return vca;
  const left = bytes.length - vca.size;
  return refuse(RefusalCodes.TRAILING, 'vca', vca.size, `${left} bytes left over`);
}

export interface Vca {
  readonly bytes: Uint8Array;
  readonly negotiated: Negotiated;
  /** how many bytes of the messages it took: none if it was given apart */
  readonly size: number;
}

/** VCA, given apart or in front of the messages, where both must be the same. Undefined: it is in neither. */
export function takeVca(
  messages: Uint8Array,
  apart: Uint8Array | undefined,
): Vca | Refusal | undefined {
  const inFront = codeAt(messages, 0) === RequestCodes.GET_VERSION;
  const front = inFront ? readVcaPrefix(messages) : undefined;
  if (front?.ok === false) return front;
  const bytes = front && messages.slice(0, front.size);
  if (apart === undefined)
    return bytes && front && { bytes, negotiated: front.value, size: bytes.length };
  if (bytes !== undefined && !equal(bytes, apart))
    return refuse(RefusalCodes.BAD_VALUE, 'vca', 0, 'not the VCA the messages start with');
  const own = readVca(apart);
  if (!own.ok) return own;
  return { bytes: apart, negotiated: own.value, size: bytes?.length ?? 0 };
}

/** Requests of B with their answers. */
const certificatePairs: Readonly<Record<number, number>> = {
  [RequestCodes.GET_DIGESTS]: ResponseCodes.DIGESTS,
  [RequestCodes.GET_CERTIFICATE]: ResponseCodes.CERTIFICATE,
};

export interface CertificateMessages {
  readonly bytes: Uint8Array;
  /** SPDM chains by slot, put together from their portions */
  readonly chains: ReadonlyMap<number, Uint8Array>;
}

const factsOf = (version: number, negotiated: Negotiated | undefined, role: EvidenceRole) =>
  role === 'requester' && negotiated !== undefined
    ? encapsulatedFacts(version, negotiated)
    : connectionFacts(version, negotiated);

/** One request of `code` with its answer, of one version. */
export function readPair(
  bytes: Uint8Array,
  offset: number,
  codes: readonly [request: number, response: number],
  facts: (request: Record<string, unknown>) => Readonly<Record<string, number>>,
): Decoded<readonly [request: Record<string, unknown>, response: Record<string, unknown>]> {
  const version = bytes[offset] ?? 0;
  const values: Record<string, unknown>[] = [];
  let at = offset;
  for (const code of codes) {
    const path = `0x${code.toString(16).padStart(2, '0')}`;
    if (codeAt(bytes, at) !== code)
      return refuse(RefusalCodes.UNKNOWN_CODE, path, at, 'another message stands here');
    if (bytes[at] !== version)
      return refuse(RefusalCodes.BAD_VALUE, `${path}.SPDMVersion`, at, 'not the version asked');
    const message = decodeMessage(bytes.subarray(at), facts(values[0] ?? {}), 'leave');
    if (!message.ok) return refusalAt(message, at, path);
    values.push(message.value);
    at += message.size;
  }
  return { ok: true, value: [values[0]!, values[1]!], size: at - offset };
}

/** B: everything at `offset` that asks for digests and certificates, be it nothing. */
export function readCertificateMessages(
  crypto: CryptoProvider,
  bytes: Uint8Array,
  offset: number,
  negotiated: Negotiated | undefined,
  role: EvidenceRole,
): Decoded<CertificateMessages> {
  const chains = new Map<number, Uint8Array>();
  const identity = new ObservedIdentity('responder', {
    crypto,
    binding: doeBinding,
    leafKey: leafKeyOfChain,
  });
  let at = offset;
  for (;;) {
    const request = codeAt(bytes, at) ?? 0;
    const response = certificatePairs[request];
    if (response === undefined) break;
    const facts = factsOf(bytes[at] ?? 0, negotiated, role);
    const pair = readPair(bytes, at, [request, response], () => facts);
    if (!pair.ok) return pair;
    at += pair.size;
    if (response !== ResponseCodes.CERTIFICATE) continue;
    const [asked, answered] = pair.value as [Value<0x82>, Value<0x02>];
    identity.heardPortion(asked, answered);
    const slot = answered.Param1 & 15;
    const chain = identity.chain(slot);
    if (chain !== undefined) chains.set(slot, chain);
  }
  return { ok: true, value: { bytes: bytes.slice(offset, at), chains }, size: at - offset };
}

export interface ChallengePair {
  readonly request: Value<0x83>;
  readonly response: Value<0x03>;
  /** both without the signature */
  readonly signed: Uint8Array;
}

/** C: one CHALLENGE with its CHALLENGE_AUTH; a requester's has no summary, since it measures nothing. */
export function readChallenge(
  bytes: Uint8Array,
  offset: number,
  negotiated: Negotiated,
  role: EvidenceRole,
  signatureSize: number,
): Decoded<ChallengePair> {
  const facts = (request: Record<string, unknown>) => {
    const summaryType = (request as Partial<Value<0x83>>).Param2 ?? 0;
    const summary =
      role === 'requester' ? 0 : summaryPresent(summaryType, negotiated.responderFlags);
    return { ...factsOf(bytes[offset] ?? 0, negotiated, role), summary, signatureSize };
  };
  const codes = [RequestCodes.CHALLENGE, ResponseCodes.CHALLENGE_AUTH] as const;
  const pair = readPair(bytes, offset, codes, facts);
  if (!pair.ok) return pair;
  const [request, response] = pair.value as [Value<0x83>, Value<0x03>];
  const signed = bytes.slice(offset, offset + pair.size - response.Signature.length);
  return { ok: true, value: { request, response, signed }, size: pair.size };
}

export const isChallengeAt = (bytes: Uint8Array, offset: number): boolean =>
  codeAt(bytes, offset) === RequestCodes.CHALLENGE;

/** M1/M2 without the signature: of a requester VCA is in front from 1.2 on only. */
export function m1m2(
  vca: Uint8Array,
  certificates: Uint8Array,
  challenge: ChallengePair,
  role: EvidenceRole,
): Uint8Array {
  const isCovered = role === 'responder' || challenge.request.SPDMVersion >= 0x12;
  const a = isCovered ? vca : new Uint8Array(0);
  return concat(a, certificates, challenge.signed);
}
