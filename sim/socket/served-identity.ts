/**
 * Who a served device is: chains and keys drawn from a seed, for each kind of key when it is first
 * negotiated, since an RSA or SLH-DSA key takes seconds; or the ones a user brought. Slot 0 and slot 1 hold
 * chains of two authorities over one key, slot 4 a chain over a key of its own, which is seen only where
 * slots may have such (multi-key connections, 1.3).
 */

import { equal } from '../../protocols/codec/bytes.ts';
import { type SignatureName, signatureFacts } from '../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import type {
  Identity,
  IdentityScope,
  IdentitySlot,
  ProvisionedPublicKey,
} from '../../protocols/spdm/identity.ts';
import { CertModels } from '../../protocols/spdm/messages/auth.ts';
import { type KeyKind, kindOf } from '../../protocols/spdm/provisioning/kinds.ts';
import {
  DeviceStore,
  type KeyPairPlan,
  type SlotPlan,
} from '../../protocols/spdm/provisioning/store.ts';
import type { AliasKey } from '../../protocols/spdm/provisioning/tables.ts';
import { buildDeviceChain, type DeviceChainPlan } from '../../protocols/x509/device-chain.ts';
import { drawChainPlan } from '../../protocols/x509/draw-chain.ts';
import { Random } from '../kernel/index.ts';
import { issueAlias } from './alias-certificate.ts';
import type { ProvisionedSlot } from './engines.ts';

const NOT_BEFORE = '20250101000000Z';
const SHARED_SLOTS = 2;
/** KeyPairID of the key behind the shared slots; the first is spare. */
const SHARED_KEY_PAIR = 2;
/** What the spare key pair may become besides: a classic kind, since requesters expect one to be named. */
const SPARE_KIND: KeyKind = 'ECC384';
const PAIR_CAPABILITIES = ['CertAssocCap', 'KeyUsageCap', 'ShareableCap'] as const;
const SPARE_CAPABILITIES = [
  'GenKeyCap',
  'ErasableCap',
  'AsymAlgoCap',
  ...PAIR_CAPABILITIES,
] as const;
const OWN_KEY_SLOT = 4;
const SLOT_BYTES_MAX = 0x20000;

export interface IdentityFacts {
  readonly crypto: CryptoProvider;
  readonly seed: string | number;
  /** `Manufacturer:Product:Serial` */
  readonly deviceInfo: string;
  /** slots 0 to this, exclusive, share a key; default two */
  readonly sharedSlots?: number;
  /** slot 4 has a key of its own */
  readonly multiKey: boolean;
  /** alias certificates in place of device certificates */
  readonly alias: boolean;
  /** slots for an algorithm that were brought along; undefined: all are drawn */
  readonly provisioned?: (signature: SignatureName) => readonly ProvisionedSlot[];
}

/**
 * The authorities' algorithm where the leaf's own takes too long: many RSA keys to draw, or seconds for
 * each SLH-DSA signature.
 */
function authorityOf(crypto: CryptoProvider, signature: SignatureName): SignatureName {
  const { family, publicKeySize } = signatureFacts(signature);
  const levels: Readonly<Record<number, SignatureName>> = {
    32: 'ML_DSA_44',
    48: 'ML_DSA_65',
    64: 'ML_DSA_87',
  };
  const rsa = family === 'RSASSA' || family === 'RSAPSS';
  const other = rsa ? 'ECDSA_P384' : family === 'SLH_DSA' ? levels[publicKeySize] : undefined;
  return other !== undefined && crypto.supports(other) ? other : signature;
}

/** What the two RSA schemes have in common is their key, and so their chain. */
const drawnAs = (signature: SignatureName): SignatureName =>
  signature.replace('RSAPSS', 'RSASSA') as SignatureName;

export class ServedIdentity implements Identity {
  readonly supportedSlots: number;
  readonly #facts: IdentityFacts;
  readonly #slots: readonly number[];
  readonly #stores = new Map<string, DeviceStore>();

  constructor(facts: IdentityFacts) {
    this.#facts = facts;
    const { sharedSlots = SHARED_SLOTS } = facts;
    const shared = [...Array(sharedSlots).keys()];
    const own = facts.multiKey && !shared.includes(OWN_KEY_SLOT) ? [OWN_KEY_SLOT] : [];
    this.#slots = [...shared, ...own];
    this.supportedSlots = this.#slots.reduce((mask, slot) => mask | (1 << slot), 0);
  }

  /** The key pairs and slots of this kind of key; made when first asked for. */
  storeOf(signature: SignatureName): DeviceStore {
    const kind = kindOf(signature);
    const known = this.#stores.get(kind);
    if (known !== undefined) return known;
    const natural = drawnAs(signature);
    const brought = this.#facts.provisioned?.(natural);
    const store =
      brought === undefined ? this.#drawnStore(natural) : this.#broughtStore(natural, brought);
    this.#stores.set(kind, store);
    return store;
  }

  slots(scope: IdentityScope): ReadonlyMap<number, IdentitySlot> {
    const slots = this.storeOf(scope.signature).slots(scope);
    if (scope.multiKey === true) return slots;
    // Outside multi-key connections there is one key: the one of the lowest slot.
    const [first] = [...slots.keys()].sort((a, b) => a - b);
    const pair = first === undefined ? undefined : slots.get(first)?.keyPairId;
    return new Map([...slots].filter(([, { keyPairId }]) => keyPairId === pair));
  }

  publicKey(scope: IdentityScope): ProvisionedPublicKey | undefined {
    return this.storeOf(scope.signature).publicKey(scope);
  }

  /** The root of the chain in the lowest slot, in DER. */
  rootOf(signature: SignatureName): Uint8Array | undefined {
    const { chains } = this.storeOf(signature).tables;
    return [...chains].sort((a, b) => a.slot - b.slot)[0]?.root;
  }

  /** The key of slot 0xFF, which requesters are given beforehand: SubjectPublicKeyInfo in DER. */
  publicKeyOf(signature: SignatureName): Uint8Array | undefined {
    return this.publicKey({ signature, hash: signatureFacts(signature).hash })
      ?.subjectPublicKeyInfo;
  }

  /** What a reset of the device does to what was installed before it. */
  deviceReset(): void {
    for (const store of this.#stores.values()) store.deviceReset();
  }

  #drawnStore(signature: SignatureName): DeviceStore {
    const { crypto, seed, deviceInfo, alias } = this.#facts;
    const kind = kindOf(signature);
    // The alias model's device key signs the leaf and is asked for by CSRs: it is of the leaf's kind.
    const authority = alias ? signature : authorityOf(crypto, signature);
    const draw = (slot: number, algorithm: SignatureName): DeviceChainPlan => {
      const random = Random.fromSeed(seed).split(`certificates ${kind} ${slot}`);
      return drawChainPlan({
        crypto,
        random: (size) => random.bytes(size),
        algorithm,
        authorities: authority,
        deviceInfo,
        notBefore: NOT_BEFORE,
        ...(alias ? { model: 'alias' as const } : {}),
      });
    };
    const slots: SlotPlan[] = [];
    const certModel = alias ? CertModels.AliasCert : CertModels.DeviceCert;
    const add = (slot: number, plan: DeviceChainPlan, keyPairId: number): void => {
      const { certificates } = buildDeviceChain(crypto, plan);
      slots.push({
        slot,
        bytesMax: SLOT_BYTES_MAX,
        chains: [{ keyPairId, certModel, certificates }],
      });
    };
    const pair = (plan: DeviceChainPlan): KeyPairPlan => ({
      capabilities: PAIR_CAPABILITIES,
      kind,
      privateKey: plan.leaf.privateKey,
      ...(alias ? { alias: this.#aliasKey(plan) } : {}),
    });
    const first = draw(0, signature);
    const keyPairs: KeyPairPlan[] = [this.#spare(signature), pair(first)];
    const isOwn = (slot: number) => slot === OWN_KEY_SLOT && this.#facts.multiKey;
    for (const slot of this.#slots.filter((each) => !isOwn(each))) {
      const drawn = slot === 0 ? first : draw(slot, authority);
      const { privateKey } = first.leaf;
      add(slot, { ...drawn, leaf: { ...drawn.leaf, signature, privateKey } }, SHARED_KEY_PAIR);
    }
    for (const slot of this.#slots.filter(isOwn)) {
      const plan = { ...first, leaf: draw(slot, signature).leaf };
      keyPairs.push(pair(plan));
      add(slot, plan, keyPairs.length);
    }
    return new DeviceStore({ crypto, keyPairs, slots, publicKeys: [SHARED_KEY_PAIR] });
  }

  #aliasKey(plan: DeviceChainPlan): AliasKey {
    const { crypto, deviceInfo } = this.#facts;
    const device = plan.device!;
    return {
      devicePrivateKey: device.privateKey,
      issue: (certificate, publicKey) =>
        issueAlias(crypto, { plan, certificate, publicKey, deviceInfo }),
    };
  }

  #broughtStore(signature: SignatureName, brought: readonly ProvisionedSlot[]): DeviceStore {
    const { crypto } = this.#facts;
    const kind = kindOf(signature);
    const keyPairs: KeyPairPlan[] = [this.#spare(signature)];
    const idOf = (privateKey: Uint8Array): number => {
      const at = keyPairs.findIndex(
        (pair) => pair.privateKey && equal(pair.privateKey, privateKey),
      );
      return at < 0 ? keyPairs.push({ capabilities: PAIR_CAPABILITIES, kind, privateKey }) : at + 1;
    };
    const slots = brought
      .filter(({ slot }) => this.#slots.includes(slot))
      .map(({ slot, certificates, key }) => ({
        slot,
        bytesMax: SLOT_BYTES_MAX,
        chains: [{ keyPairId: idOf(key.privateKey), certificates }],
      }));
    return new DeviceStore({ crypto, keyPairs, slots, publicKeys: [SHARED_KEY_PAIR] });
  }

  /** Nobody's key pair: to be certified, erased and generated anew. */
  #spare(signature: SignatureName): KeyPairPlan {
    const { crypto, seed } = this.#facts;
    const kind = kindOf(signature);
    const random = Random.fromSeed(seed).split(`spare ${kind}`);
    return {
      capabilities: SPARE_CAPABILITIES,
      kinds: [...new Set([kind, SPARE_KIND])],
      kind,
      privateKey: crypto.generateSigningKey(signature, (size) => random.bytes(size)),
    };
  }
}
