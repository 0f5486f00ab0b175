/**
 * What a responder needs to be provisioned with keys and certificates (DSP0274: GET_CSR, SET_CERTIFICATE,
 * GET_KEY_PAIR_INFO, SET_KEY_PAIR_INFO). SLOT_MANAGEMENT of 1.4 is answered UnsupportedRequest: the layout
 * of its sub-commands is not public.
 */

import type { SignatureName } from '../../crypto/algorithms.ts';
import type { Effect } from '../../engine.ts';
import type { CsrPlan } from '../../x509/build-csr.ts';
import type { Anchor, ChainFault } from '../../x509/policy.ts';
import { capability, ErrorCodes, SpdmVersions } from '../codes.ts';
import { CertModels } from '../messages/auth.ts';
import type { DeviceStore } from '../provisioning/store.ts';
import { fitsSignature, keyPairOf, type StoreRefusal } from '../provisioning/tables.ts';
import type { ErrorAnswer, ResponderState, Turn } from './state.ts';

export interface Provisioning {
  /** the responder's `identity` too, so that DIGESTS says what was stored */
  readonly store: DeviceStore;
  /** what a CSR says that RequesterInfo leaves out; undefined: there are no CSRs */
  readonly csr?: Pick<CsrPlan, 'subject' | 'extensions' | 'attributes'>;
  /** roots SET_CERTIFICATE takes; default: whatever root the chain starts with */
  readonly anchors?: readonly Anchor[];
  /** seconds since 1970; undefined: no clock, validity periods are not looked at */
  readonly now?: () => number;
  /** where no session is needed to write a slot; default: never */
  readonly trustedEnvironment?: () => boolean;
  /** slot 0 is written outside a trusted environment too; default false */
  readonly slotZeroWritable?: boolean;
  /**
   * Plays the DMTF sample: SET_CERTIFICATE and SET_KEY_PAIR_INFO that can be read are acknowledged, and
   * nothing comes of them. Default: what is asked is done, or refused.
   */
  readonly pretends?: boolean;
}

/** Something was acknowledged that was not done (`pretends`). */
export interface ProvisioningPretended extends Effect {
  readonly type: 'provisioning-pretended';
  readonly detail: string;
}

/** A chain is in its slot, or will be after the next reset. */
export interface CertificateStored extends Effect {
  readonly type: 'certificate-stored';
  readonly slot: number;
  readonly keyPairId: number;
  readonly when: 'now' | 'reset';
}
export interface CertificateErased extends Effect {
  readonly type: 'certificate-erased';
  readonly slot: number;
  readonly when: 'now' | 'reset';
}
/** A chain was not stored, and by which rule. */
export interface CertificateRefused extends Effect {
  readonly type: 'certificate-refused';
  readonly slot: number;
  readonly fault: ChainFault;
  readonly detail: string;
}
export interface KeyPairChanged extends Effect {
  readonly type: 'key-pair-changed';
  readonly keyPairId: number;
  readonly operation: number;
  readonly when: 'now' | 'reset';
}
/** The store did not do what was asked, and why. */
export interface ProvisioningRefused extends Effect {
  readonly type: 'provisioning-refused';
  readonly detail: string;
}

/** OperationFailed came with 1.3; before, Unspecified says as much. */
export const operationFailed = (turn: Turn): ErrorAnswer => ({
  error: turn.version >= SpdmVersions.V1_3 ? ErrorCodes.OperationFailed : ErrorCodes.Unspecified,
});

/** The ERROR of a refusal of the store, which is told to the owner as well. */
export function refusedBy(turn: Turn, { refused, detail }: StoreRefusal): ErrorAnswer {
  const effect: ProvisioningRefused = { type: 'provisioning-refused', detail };
  turn.effects.push(effect);
  return refused === 'invalid' ? { error: ErrorCodes.InvalidRequest } : operationFailed(turn);
}

export const resetRequired = (data = 0): ErrorAnswer => ({ error: ErrorCodes.ResetRequired, data });

/** Whether what CERT_INSTALL_RESET_CAP is about waits for a reset. */
export const installWhen = (state: ResponderState): 'now' | 'reset' =>
  capability(state.config.flags, 'CERT_INSTALL_RESET_CAP') === 1 ? 'reset' : 'now';

/** The certificate model a multi-key connection names, or that of all slots; undefined: not allowed. */
export function certModelOf(
  state: ResponderState,
  keyPairId: number,
  certModel: number,
): number | undefined {
  if (state.negotiated!.multiKeyConn) {
    const named = certModel >= CertModels.DeviceCert && certModel <= CertModels.GenericCert;
    return keyPairId !== 0 && named ? certModel : undefined;
  }
  if (keyPairId !== 0 || certModel !== CertModels.None) return undefined;
  const isAlias = capability(state.config.flags, 'ALIAS_CERT_CAP') === 1;
  return isAlias ? CertModels.AliasCert : CertModels.DeviceCert;
}

/**
 * KeyPairID of the key that signs as negotiated where no key pair is named: the one that has the slot,
 * else the first that fits. Which one that is DSP0274 leaves to the responder. Undefined: none fits.
 */
export function sharedKeyPair(
  store: DeviceStore,
  signature: SignatureName,
  slot?: number,
): number | undefined {
  const { tables } = store;
  const fitting = tables.keyPairs
    .map((_pair, i) => i + 1)
    .filter((id) => {
      const pair = keyPairOf(tables, id)!;
      return fitsSignature(pair, signature) && pair.privateKey !== undefined;
    });
  const owns = (id: number) =>
    slot !== undefined && ((keyPairOf(tables, id)!.slots >> slot) & 1) === 1;
  return fitting.find(owns) ?? fitting[0];
}
