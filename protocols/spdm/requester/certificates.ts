/** Requester side of GET_DIGESTS and GET_CERTIFICATE (DSP0274 10.5, 10.6), and whom it trusts. */

import { concat, equal } from '../../codec/bytes.ts';
import { isPeerFault, LocalError, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { capability, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import type { LeafKey } from '../observer/types.ts';
import { type SigningContext, verifyTranscript } from '../signing.ts';
import {
  type Exchange,
  hashName,
  negotiatedOrThrow,
  type RequesterSession,
  type RequesterState,
  suiteOrThrow,
} from './state.ts';
import { type Exchanged, transact } from './transact.ts';

/** What DIGESTS says besides the digests: slots that exist, and each provisioned slot's key (1.3). */
export interface SlotFacts {
  readonly supported: number;
  readonly provisioned: number;
  readonly keys: ReadonlyMap<
    number,
    { readonly keyPairId: number; readonly certModel: number; readonly keyUsage: number }
  >;
}

function slotFactsOf({ value }: Exchanged<0x01>): SlotFacts {
  const keys = new Map<number, { keyPairId: number; certModel: number; keyUsage: number }>();
  for (const [at, slot] of slotsOf(value.Param2).entries()) {
    const keyPairId = value.KeyPairID?.[at];
    const certModel = (value.CertificateInfo?.[at] ?? 0) & 7;
    if (keyPairId !== undefined)
      keys.set(slot, { keyPairId, certModel, keyUsage: value.KeyUsageMask?.[at] ?? 0 });
  }
  return { supported: value.Param1, provisioned: value.Param2, keys };
}

const slotsOf = (mask: number): number[] =>
  [0, 1, 2, 3, 4, 5, 6, 7].filter((slot) => ((mask >> slot) & 1) === 1);

/** Digest of each provisioned slot's certificate chain. */
export function* getDigests(
  state: RequesterState,
  session?: RequesterSession,
): Exchange<ReadonlyMap<number, Uint8Array>> {
  const { GET_DIGESTS } = RequestCodes;
  const fields = { Param1: 0, Param2: 0 };
  const facts = { multiKey: negotiatedOrThrow(state).multiKeyConn ? 1 : 0 };
  const { DIGESTS } = ResponseCodes;
  const answer = yield* transact(state, session, GET_DIGESTS, DIGESTS, fields, facts);
  if (isPeerFault(answer)) return answer;
  if (session === undefined) {
    state.transcript.b.add(answer.request, answer.response);
    state.transcript.addDigests(answer.response);
  }
  state.slotFacts = slotFactsOf(answer);
  const { Param2, Digest } = answer.value;
  return new Map(slotsOf(Param2).map((slot, at) => [slot, Digest[at]!]));
}

const SMALL_CHAIN_MAX = 0xffff;
/** No device's chain is near this; without a limit a peer could have us fetch for ever. */
const LARGE_CHAIN_MAX = 0x100000;
const LARGE_FORM = 0x80;
const LARGE_HEAD_SIZE = 16;

interface Portion {
  readonly data: Uint8Array;
  readonly remainder: number;
}

/** One GET_CERTIFICATE: in the large form of 1.4 if the responder does that, even for small chains. */
function* getPortion(
  state: RequesterState,
  session: RequesterSession | undefined,
  slot: number,
  offset: number,
  length: number,
): Exchange<Portion> {
  const isLarge = usesLargeForm(state);
  const at = isLarge
    ? { Offset: 0, Length: 0, LargeOffset: offset, LargeLength: length }
    : { Offset: offset, Length: length };
  const Param1 = isLarge ? LARGE_FORM | slot : slot;
  const answer = yield* transact(
    state,
    session,
    RequestCodes.GET_CERTIFICATE,
    ResponseCodes.CERTIFICATE,
    { Param1, Param2: 0, ...at },
  );
  if (isPeerFault(answer)) return answer;
  const { value } = answer;
  const remainder = (isLarge ? value.LargeRemainderLength : value.RemainderLength) ?? 0;
  const data = value.CertChain;
  const sameForm = ((value.Param1 & LARGE_FORM) !== 0) === isLarge;
  if (data.length === 0 || data.length > length || (value.Param1 & 15) !== slot || !sameForm)
    return peerFault('CERTIFICATE_PORTION', `${data.length} bytes of slot ${value.Param1 & 15}`);
  if (session === undefined) state.transcript.b.add(answer.request, answer.response);
  return { data, remainder };
}

const usesLargeForm = (state: RequesterState): boolean =>
  state.version >= SpdmVersions.V1_4 && capability(state.responderFlags, 'LARGE_RESP_CAP') === 1;

/** What one GET_CERTIFICATE asks for: as configured, and in the large form as much as can come. */
function portionOf(state: RequesterState, large: boolean): number {
  const { certificatePortion, maxSpdmMsgSize } = state.config;
  return large
    ? Math.max(certificatePortion, maxSpdmMsgSize - LARGE_HEAD_SIZE)
    : certificatePortion;
}

/**
 * The certificate chain blob of a slot, in portions, held against the digest if one is given.
 * Faults: CERTIFICATE_PORTION (lengths that lie or never end), CERTIFICATE_DIGEST.
 */
export function* getCertificate(
  state: RequesterState,
  slot: number,
  digest?: Uint8Array,
  session?: RequesterSession,
): Exchange<Uint8Array> {
  const large = usesLargeForm(state);
  const most = large ? LARGE_CHAIN_MAX : SMALL_CHAIN_MAX;
  const portion = portionOf(state, large);
  const parts: Uint8Array[] = [];
  let size = 0;
  let total: number | undefined;
  for (;;) {
    const length = Math.min(portion, (total ?? most) - size);
    const got = yield* getPortion(state, session, slot, size, length);
    if (isPeerFault(got)) return got;
    const { data, remainder } = got;
    const end = size + data.length + remainder;
    if (total !== undefined && end !== total)
      return peerFault('CERTIFICATE_PORTION', `total changed from ${total} to ${end} bytes`);
    total = end;
    if (total > most)
      return peerFault('CERTIFICATE_PORTION', `${total} bytes are more than a chain may have`);
    parts.push(data);
    size += data.length;
    if (remainder === 0) break;
  }
  const chain = concat(...parts);
  state.work.push({ op: 'hash', bytes: chain.length }, { op: 'certificate-parse' });
  if (digest !== undefined && !equal(state.config.crypto.hash(hashName(state), chain), digest))
    return peerFault('CERTIFICATE_DIGEST', `the chain of slot ${slot} is not the one in DIGESTS`);
  state.chains.set(slot, chain);
  state.leaves.delete(slot);
  return chain;
}

/** Size of a slot in bytes, which may be more than its chain has (SlotSizeRequested, 1.3). */
export function* getSlotSize(state: RequesterState, slot: number): Exchange<number> {
  const isLarge = usesLargeForm(state);
  const at = isLarge ? { LargeOffset: 0, LargeLength: 0 } : {};
  const answer = yield* transact(
    state,
    undefined,
    RequestCodes.GET_CERTIFICATE,
    ResponseCodes.CERTIFICATE,
    { Param1: isLarge ? LARGE_FORM | slot : slot, Param2: 1, Offset: 0, Length: 0, ...at },
  );
  if (isPeerFault(answer)) return answer;
  const { value } = answer;
  if (value.CertChain.length > 0)
    return peerFault('CERTIFICATE_PORTION', 'asked for a size alone, got certificates');
  state.transcript.b.add(answer.request, answer.response);
  return (isLarge ? value.LargeRemainderLength : value.RemainderLength) ?? 0;
}

/** @throws LocalError if no chain of the slot has been fetched */
export function chainOf(state: RequesterState, slot: number): Uint8Array {
  const chain = state.chains.get(slot);
  if (chain === undefined) throw new LocalError(`slot: no chain of slot ${slot} has been fetched`);
  return chain;
}

/** Judges the chain of a slot by the requester's trust; keeps the leaf's key. */
export function trustChain(state: RequesterState, slot: number): LeafKey | PeerFault {
  const chain = chainOf(state, slot);
  const given = slot === PUBLIC_KEY_SLOT ? state.leaves.get(slot) : undefined;
  if (given !== undefined) return given;
  state.work.push({ op: 'verify' }, { op: 'verify' }, { op: 'verify' });
  const { signature } = suiteOrThrow(state);
  const leaf = state.config.trust(chain, negotiatedOrThrow(state).hashSize, signature);
  if (isPeerFault(leaf)) return leaf;
  if (leaf.algorithm !== signature)
    return peerFault(
      'LEAF_KEY',
      `leaf key ${leaf.algorithm} does not fit the negotiated algorithm`,
    );
  state.leaves.set(slot, leaf);
  return leaf;
}

/**
 * The key that signs for a slot. To be asked for before anything is sent that only this key can answer.
 * @throws LocalError if the slot's chain has not been fetched, or is not trusted
 */
export function leafOf(state: RequesterState, slot: number): LeafKey {
  chainOf(state, slot);
  const leaf = state.leaves.get(slot);
  if (leaf === undefined)
    throw new LocalError(`slot: the chain of slot ${slot} is not trusted yet`);
  return leaf;
}

/** True if `signature` of the responder's leaf in `slot` covers `transcript`. */
export function signatureFits(
  state: RequesterState,
  slot: number,
  context: SigningContext,
  transcript: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { crypto } = state.config;
  state.work.push({ op: 'hash', bytes: transcript.length }, { op: 'verify' });
  const leaf = leafOf(state, slot);
  const scope = { crypto, hash: hashName(state), version: state.version };
  return verifyTranscript(scope, leaf.algorithm, leaf.publicKey, context, transcript, signature);
}
