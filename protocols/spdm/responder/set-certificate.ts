/** Responder side of SET_CERTIFICATE (DSP0274 10.26). */

import { readLE } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import type { SignatureName } from '../../crypto/algorithms.ts';
import { ErrorCodes, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { certificateChanged } from '../events.ts';
import * as layouts from '../messages/provisioning.ts';
import { judgeChain } from '../provisioning/judge.ts';
import { kindOf } from '../provisioning/kinds.ts';
import {
  type Change,
  chainOf,
  erase,
  failedChange,
  fitsSignature,
  install,
  invalidChange,
  keyPairOf,
} from '../provisioning/tables.ts';
import { raiseEvent } from './events.ts';
import {
  type CertificateErased,
  type CertificateRefused,
  type CertificateStored,
  certModelOf,
  installWhen,
  operationFailed,
  type Provisioning,
  type ProvisioningPretended,
  refusedBy,
  resetRequired,
  sharedKeyPair,
} from './provisioning.ts';
import {
  type Answer,
  answerHeader,
  type ErrorAnswer,
  type Handlers,
  hashOf,
  invalid,
  type ResponderState,
  type Turn,
  unexpected,
  unsupported,
} from './state.ts';

type SetCertificate = ValueOf<typeof layouts.setCertificate>;
const ERASE = 0x80;

/** Param1 and Param2; 1.2 has the slot alone. */
function paramsOf({ Param1, Param2 }: SetCertificate, version: number) {
  const slot = Param1 & 15;
  if (version < SpdmVersions.V1_3) return { slot, certModel: 0, keyPairId: 0, erases: false };
  const certModel = (Param1 >> 4) & 7;
  return { slot, certModel, keyPairId: Param2, erases: (Param1 & ERASE) !== 0 };
}
type Params = ReturnType<typeof paramsOf>;

/**
 * Who may write which slot: any of them in a trusted environment. Elsewhere slots above 0 take a session,
 * and slot 0, which the manufacturer provisions, the device's own policy. DSP0274 names no ERROR for the
 * latter; chosen: InvalidPolicy, which came with 1.3, and UnexpectedRequest before.
 */
function placeFault(provisioning: Provisioning, turn: Turn, slot: number): ErrorAnswer | undefined {
  if (provisioning.trustedEnvironment?.() === true) return undefined;
  if (slot > 0) return turn.session === undefined ? unexpected : undefined;
  if (provisioning.slotZeroWritable === true) return undefined;
  return turn.version >= SpdmVersions.V1_3 ? { error: ErrorCodes.InvalidPolicy } : unexpected;
}

const CHAIN_HEAD_SIZE = 4;

/** The chain blob by its own Length; transport padding may follow outside sessions. */
function blobOf(state: ResponderState, turn: Turn, chain: Uint8Array): Uint8Array | undefined {
  const width = turn.version >= SpdmVersions.V1_4 ? 4 : 2;
  const size = readLE(chain, 0, width);
  const { hashSize } = state.negotiated!;
  if (chain.length < CHAIN_HEAD_SIZE + hashSize || size < CHAIN_HEAD_SIZE + hashSize)
    return undefined;
  const exact = turn.session === undefined ? size <= chain.length : size === chain.length;
  return exact ? chain.subarray(0, size) : undefined;
}

/** KeyPairID of the slot's key: the one named, or the one all slots share. */
function keyPairIdOf(provisioning: Provisioning, params: Params, signature: SignatureName) {
  if (params.keyPairId !== 0) return params.keyPairId;
  return sharedKeyPair(provisioning.store, signature, params.slot);
}

/** Makes a change of the store so, now or at the next reset, and answers. */
function settle(
  state: ResponderState,
  turn: Turn,
  slot: number,
  change: Change,
  effect: CertificateStored | CertificateErased,
): Answer {
  const { store } = state.config.provisioning!;
  const commit = store.prepare(change, effect.when);
  if (typeof commit !== 'function') return refusedBy(turn, commit);
  const before = store.tables.chains;
  turn.commits.push(() => {
    commit();
    turn.effects.push(effect);
    const { chains } = store.tables;
    const isOther = chains.length !== before.length || chains.some((c) => !before.includes(c));
    if (isOther) raiseEvent(state, certificateChanged(1 << slot));
  });
  return effect.when === 'reset' ? resetRequired() : acknowledged(turn, slot);
}

const acknowledged = (turn: Turn, slot: number): Uint8Array =>
  encode(layouts.setCertificateRsp, answerHeader(turn, ResponseCodes.SET_CERTIFICATE_RSP, slot));

function answerErase(
  state: ResponderState,
  turn: Turn,
  params: Params,
  provisioning: Provisioning,
  signature: SignatureName,
): Answer {
  const { slot, certModel, keyPairId } = params;
  const isMulti = state.negotiated!.multiKeyConn;
  if (certModel !== 0 || (keyPairId !== 0) !== isMulti) return invalid;
  const kind = kindOf(signature);
  const found = chainOf(provisioning.store.tables, slot, kind);
  if (isMulti && found !== undefined && found.keyPairId !== keyPairId)
    return refusedBy(turn, invalidChange(`slot ${slot} is not of key pair ${keyPairId}`));
  const when = installWhen(state);
  return settle(state, turn, slot, erase(slot, kind), { type: 'certificate-erased', slot, when });
}

function answerInstall(
  state: ResponderState,
  turn: Turn,
  value: SetCertificate,
  provisioning: Provisioning,
  signature: SignatureName,
): Answer {
  const { crypto } = state.config;
  const { store, anchors, now } = provisioning;
  const params = paramsOf(value, turn.version);
  const { slot } = params;
  const certModel = certModelOf(state, params.keyPairId, params.certModel);
  const blob = blobOf(state, turn, value.CertChain);
  if (certModel === undefined || blob === undefined) return invalid;
  if (provisioning.pretends === true) {
    const detail = `a chain of ${blob.length} bytes for slot ${slot} is not stored`;
    const pretended: ProvisioningPretended = { type: 'provisioning-pretended', detail };
    turn.effects.push(pretended);
    return acknowledged(turn, slot);
  }
  if (blob.length > store.slotSize(slot)!)
    return refusedBy(
      turn,
      failedChange(`slot ${slot} has room for less than ${blob.length} bytes`),
    );
  const keyPairId = keyPairIdOf(provisioning, params, signature);
  if (keyPairId === undefined) return operationFailed(turn);
  const pair = keyPairOf(store.tables, keyPairId);
  if (pair === undefined)
    return refusedBy(turn, invalidChange(`there is no key pair ${keyPairId}`));
  if (!fitsSignature(pair, signature) || pair.privateKey === undefined)
    return refusedBy(turn, failedChange(`key pair ${keyPairId} does not sign as negotiated`));
  const { version } = turn;
  const hash = hashOf(state);
  turn.work.push({ op: 'certificate-parse' }, { op: 'hash', bytes: blob.length });
  const chain = judgeChain(
    crypto,
    { slot, keyPairId, pair, certModel, blob, signature, hash, version },
    { ...(anchors === undefined ? {} : { anchors }), at: now?.() },
  );
  if ('ok' in chain) {
    const { code: fault, detail } = chain;
    const refused: CertificateRefused = { type: 'certificate-refused', slot, fault, detail };
    turn.effects.push(refused);
    // DSP0274 names no ERROR for a chain that does not verify; the DMTF reference says Unspecified.
    return { error: ErrorCodes.Unspecified };
  }
  for (const _ of chain.certificates) turn.work.push({ op: 'verify' });
  const when = installWhen(state);
  const change = install(chain, !state.negotiated!.multiKeyConn);
  return settle(state, turn, slot, change, { type: 'certificate-stored', slot, keyPairId, when });
}

function answerSetCertificate(state: ResponderState, turn: Turn, value: SetCertificate): Answer {
  const { provisioning } = state.config;
  if (provisioning === undefined) return unsupported(turn);
  const params = paramsOf(value, turn.version);
  const signature = state.suite()?.signature;
  const exists = provisioning.store.slotSize(params.slot) !== undefined;
  if (!exists || signature === undefined) return invalid;
  const misplaced = placeFault(provisioning, turn, params.slot);
  if (misplaced !== undefined) return misplaced;
  return params.erases
    ? answerErase(state, turn, params, provisioning, signature)
    : answerInstall(state, turn, value, provisioning, signature);
}

export const setCertificateHandlers: Handlers = {
  [RequestCodes.SET_CERTIFICATE]: answerSetCertificate,
};
