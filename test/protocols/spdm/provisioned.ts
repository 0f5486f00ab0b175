/** A device with key pairs and slots of its own, an authority that issues to it, and what both remember. */

import { toHex } from '../../../protocols/codec/bytes.ts';
import {
  DeviceStore,
  type DeviceStorePlan,
  type KeyPairPlan,
} from '../../../protocols/spdm/provisioning/store.ts';
import type { Provisioning } from '../../../protocols/spdm/responder/provisioning.ts';
import { buildDeviceChain, type DeviceChainPlan } from '../../../protocols/x509/device-chain.ts';
import { encodeCertChain } from '../../../protocols/x509/spdm-chain.ts';
import { crypto, Pair, type PairOptions } from './pair.ts';
import { snapshotOf } from './snapshot.ts';

export const keyOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

const entity = (text: string, fill: number) => ({
  name: [['CN', text]] as const,
  privateKey: keyOf(fill),
  serialNumber: Uint8Array.of(fill),
});

/** Certificates for the P-256 key `keyOf(fill)`, from the root down. */
export function certificatesFor(
  fill: number,
  change: Partial<DeviceChainPlan> = {},
): readonly Uint8Array[] {
  return buildDeviceChain(crypto, {
    signature: 'ECDSA_P256',
    root: entity('Root', 0x11),
    intermediate: entity('Intermediate', 0x22),
    leaf: entity(`Leaf ${fill}`, fill),
    notBefore: '20240101000000Z',
    notAfter: '20441231235959Z',
    deviceInfo: `Example:Device:${fill}`,
    ...change,
  }).certificates;
}

export const blobOf = (certificates: readonly Uint8Array[], rootHash?: Uint8Array): Uint8Array =>
  encodeCertChain(crypto, 'SHA_256', 0x12, certificates, rootHash);
export const chainFor = (fill: number, change: Partial<DeviceChainPlan> = {}): Uint8Array =>
  blobOf(certificatesFor(fill, change));

const ALL = [
  'GenKeyCap',
  'ErasableCap',
  'CertAssocCap',
  'KeyUsageCap',
  'AsymAlgoCap',
  'ShareableCap',
] as const;

/** 1: the key of slot 0, fixed. 2: one that may be associated. 3: none yet, of several kinds. */
export const keyPairPlans: readonly KeyPairPlan[] = [
  { kind: 'ECC256', privateKey: keyOf(0x33) },
  { kind: 'ECC256', privateKey: keyOf(0x44), capabilities: ['CertAssocCap', 'ShareableCap'] },
  { kinds: ['ECC256', 'ECC384', 'ML_DSA_44'], capabilities: ALL, usage: [] },
];

export function storeWith(change: Partial<DeviceStorePlan> = {}): DeviceStore {
  return new DeviceStore({
    crypto,
    keyPairs: keyPairPlans,
    slots: [
      { slot: 0, chains: [{ keyPairId: 1, certificates: certificatesFor(0x33) }] },
      { slot: 1 },
      { slot: 2, bytesMax: 600 },
      { slot: 3 },
    ],
    ...change,
  });
}

/** 2030-01-01 */
export const NOW = 1_893_456_000;

export interface ProvisionedOptions extends PairOptions {
  readonly provisioning?: Partial<Provisioning>;
  /** without it the device has no provisioning at all, whatever its flags say */
  readonly bare?: true;
}

const CAPABILITIES = {
  CSR_CAP: 1,
  SET_CERT_CAP: 1,
  GET_KEY_PAIR_INFO_CAP: 1,
  SET_KEY_PAIR_INFO_CAP: 1,
} as const;

export const MULTI_KEY = { MULTI_KEY_CAP: 1 } as const;

/** A pair whose responder is such a device. */
export class ProvisionedPair extends Pair {
  readonly store: DeviceStore;

  constructor(options: ProvisionedOptions = {}) {
    const store = options.provisioning?.store ?? storeWith();
    const provisioning: Provisioning = {
      store,
      csr: { subject: [['CN', 'Device']] },
      now: () => NOW,
      ...options.provisioning,
    };
    super({
      ...options,
      responderFlags: { ...CAPABILITIES, ...options.responderFlags },
      responder: {
        identity: store,
        ...(options.bare === true ? {} : { provisioning }),
        ...options.responder,
      },
    });
    this.store = store;
  }

  /** Responder and store as text: what a refusal must leave as it was. */
  get all(): string {
    const { now, next, csrRequests } = this.store as unknown as Record<string, unknown>;
    const { tracked } = csrRequests as { tracked: Map<number, object> };
    const hex = (_name: string, value: unknown) =>
      value instanceof Uint8Array ? toHex(value) : value;
    const requests = [...tracked].map(([tag, one]) => [tag, { ...one, order: undefined }]);
    return snapshotOf(this.responder) + JSON.stringify([now, next, requests], hex);
  }

  /** The last effect of a type. */
  told(type: string): object | undefined {
    return this.effects.filter((effect) => effect.type === type).at(-1);
  }
}
