/** Responder side of GET_KEY_PAIR_INFO and SET_KEY_PAIR_INFO (DSP0274, key pair information, from 1.3). */

import { le } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { algorithmIdentifier } from '../../x509/spki.ts';
import { capability, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import * as layouts from '../messages/key-pairs.ts';
import { keyPairChange } from '../provisioning/key-pair-changes.ts';
import { type KeyKind, masksOf } from '../provisioning/kinds.ts';
import { keyPairOf, naturalSignature } from '../provisioning/tables.ts';
import {
  type KeyPairChanged,
  type ProvisioningPretended,
  refusedBy,
  resetRequired,
} from './provisioning.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  invalid,
  type ResponderState,
  type Turn,
  unsupported,
} from './state.ts';

const PQC_MASK_SIZE = 4;

function answerKeyPairInfo(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof layouts.getKeyPairInfo>,
): Answer {
  const { config } = state;
  if (config.provisioning === undefined) return unsupported(turn);
  const { tables } = config.provisioning.store;
  const pair = keyPairOf(tables, value.KeyPairID);
  if (pair === undefined) return invalid;
  const { kind, kinds, privateKey } = pair;
  const settable = capability(config.flags, 'SET_KEY_PAIR_INFO_CAP') === 1;
  const possible = masksOf(kinds);
  const current = masksOf(kind === undefined ? [] : [kind]);
  const name = kind === undefined || privateKey === undefined ? undefined : naturalSignature(kind);
  const pqc = {
    PqcAsymAlgoCapabilities: le(possible.pqc, PQC_MASK_SIZE),
    CurrentPqcAsymAlgo: le(current.pqc, PQC_MASK_SIZE),
  };
  return encode(
    layouts.keyPairInfo,
    {
      ...answerHeader(turn, ResponseCodes.KEY_PAIR_INFO),
      TotalKeyPairs: tables.keyPairs.length,
      KeyPairID: value.KeyPairID,
      Capabilities: settable ? pair.capabilities : 0,
      KeyUsageCapabilities: pair.usageCapabilities,
      CurrentKeyUsage: pair.usage,
      AsymAlgoCapabilities: possible.asym,
      CurrentAsymAlgo: current.asym,
      AssocCertSlotMask: pair.slots,
      PublicKeyInfo: name === undefined ? new Uint8Array(0) : algorithmIdentifier(name),
      ...(turn.version >= SpdmVersions.V1_4 ? pqc : {}),
    },
    { version: turn.version },
  );
}

/** New keys of a kind, the same one however often it is asked for. */
function generator({ config }: ResponderState, turn: Turn) {
  let made: Uint8Array | undefined;
  return (kind: KeyKind): Uint8Array | undefined => {
    const signature = naturalSignature(kind);
    if (signature === undefined || !config.crypto.supports(signature)) return undefined;
    if (made === undefined) turn.work.push({ op: 'random', bytes: 32 }, { op: 'dhe-generate' });
    made ??= config.crypto.generateSigningKey(signature, config.random);
    return made;
  };
}

function answerSetKeyPairInfo(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof layouts.setKeyPairInfo>,
): Answer {
  const { config } = state;
  if (config.provisioning === undefined) return unsupported(turn);
  const { store } = config.provisioning;
  const { KeyPairID: keyPairId, Param1: operation } = value;
  const change = keyPairChange(
    {
      keyPairId,
      operation,
      usage: value.DesiredKeyUsage ?? 0,
      asym: value.DesiredAsymAlgo ?? 0,
      pqc: layouts.pqcMaskOf(value.DesiredPqcAsymAlgo ?? new Uint8Array(0)),
      slots: value.DesiredAssocCertSlotMask ?? 0,
    },
    generator(state, turn),
  );
  const waits =
    turn.version >= SpdmVersions.V1_4 && capability(config.flags, 'SET_KEY_PAIR_RESET_CAP') === 1;
  const when = waits ? 'reset' : 'now';
  const known = (value.DesiredAssocCertSlotMask ?? 0) & ~store.supportedSlots;
  const commit = known === 0 ? store.prepare(change, when) : undefined;
  if (commit === undefined) return invalid;
  if (typeof commit !== 'function') return refusedBy(turn, commit);
  const acknowledged = () =>
    encode(layouts.setKeyPairInfoAck, answerHeader(turn, ResponseCodes.SET_KEY_PAIR_INFO_ACK));
  if (config.provisioning.pretends === true) {
    const detail = `key pair ${keyPairId} stays as it is`;
    const pretended: ProvisioningPretended = { type: 'provisioning-pretended', detail };
    turn.effects.push(pretended);
    return acknowledged();
  }
  const effect: KeyPairChanged = { type: 'key-pair-changed', keyPairId, operation, when };
  turn.commits.push(() => {
    commit();
    turn.effects.push(effect);
  });
  return waits ? resetRequired() : acknowledged();
}

export const keyPairHandlers: Handlers = {
  [RequestCodes.GET_KEY_PAIR_INFO]: answerKeyPairInfo,
  [RequestCodes.SET_KEY_PAIR_INFO]: answerSetKeyPairInfo,
};
