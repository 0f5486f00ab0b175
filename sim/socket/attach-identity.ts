/**
 * Who `attach` is and whom it believes: certificates and keys out of a directory laid out as the DMTF
 * emulators have theirs (a folder for each algorithm), or a chain drawn from a seed for whatever the
 * connection agrees on.
 */

import { type Refusal, refusalText } from '../../protocols/codec/refusal.ts';
import {
  type HashName,
  type SignatureName,
  signatureFacts,
} from '../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import type {
  Identity,
  IdentityScope,
  IdentitySlot,
  ProvisionedPublicKey,
} from '../../protocols/spdm/identity.ts';
import type { PeerPublicKey } from '../../protocols/spdm/requester/state.ts';
import { buildDeviceChain } from '../../protocols/x509/device-chain.ts';
import { drawChainPlan } from '../../protocols/x509/draw-chain.ts';
import { pkcs8PrivateKey } from '../../protocols/x509/pkcs8.ts';
import { encodeCertChain } from '../../protocols/x509/spdm-chain.ts';
import { parseSubjectPublicKeyInfo, subjectPublicKeyInfo } from '../../protocols/x509/spki.ts';
import { parseChain } from '../../protocols/x509/split.ts';
import { Random } from '../kernel/index.ts';
import { EngineRefusal, type FileReader } from './engines.ts';

/** The folder of an algorithm's keys and certificates; both RSA paddings share one. */
export function folderOf(name: SignatureName): string {
  const rsa = /^RSA(?:SSA|PSS)_(\d+)$/.exec(name);
  if (rsa !== null) return `rsa${rsa[1]}`;
  const ec = /^ECDSA_P(\d+)$/.exec(name);
  if (ec !== null) return `ecp${ec[1]}`;
  const ed = /^EDDSA_(\d+)$/.exec(name);
  if (ed !== null) return `ed${ed[1]}`;
  const ml = /^ML_DSA_(\d+)$/.exec(name);
  if (ml !== null) return `mldsa${ml[1]}`;
  return name.toLowerCase().replaceAll('_', '-');
}

export const roleFiles = {
  roots: ['ca.cert.der', 'ca1.cert.der'],
  ownChain: 'bundle_requester.certchain.der',
  ownKey: 'end_requester.key.der',
  ownPublicKey: 'end_requester.key.pub.der',
  peerPublicKey: 'end_responder.key.pub.der',
  chainToSet: 'bundle_responder.certchain.der',
} as const;

const NOT_BEFORE = '20250101000000Z';
/** CertChain has the same bytes in every version as long as it is below 64 KiB. */
const CHAIN_VERSION = 0x12;
const DEVICE_INFO = 'tdisp-sim:Requester:0001';

const unusable = (path: string, refusal: Refusal): EngineRefusal =>
  new EngineRefusal(`--cert-dir: ${path}: ${refusalText(refusal)}`);

/** What is certified and what signs, before a hash is agreed on. */
interface Credentials {
  readonly certificates: readonly Uint8Array[];
  readonly privateKey: Uint8Array;
  readonly subjectPublicKeyInfo: Uint8Array;
}

/** Of a directory; undefined if it has nothing for the algorithm. @throws EngineRefusal on broken files */
function credentialsOf(
  crypto: CryptoProvider,
  files: FileReader,
  name: SignatureName,
): Credentials | undefined {
  const at = (file: string) => `${folderOf(name)}/${file}`;
  const [chainPath, keyPath] = [at(roleFiles.ownChain), at(roleFiles.ownKey)];
  const [chain, key] = [files(chainPath), files(keyPath)];
  if (chain === undefined || key === undefined) return undefined;
  const certificates = parseChain(chain);
  if (!certificates.ok) throw unusable(chainPath, certificates);
  const signing = pkcs8PrivateKey(crypto, key, name);
  if (!signing.ok) throw unusable(keyPath, signing);
  const { privateKey } = signing.value;
  const own = files(at(roleFiles.ownPublicKey));
  return {
    certificates: certificates.value.map(({ der }) => der),
    privateKey,
    subjectPublicKeyInfo:
      own ?? subjectPublicKeyInfo(name, crypto.signingPublicKey(name, privateKey)),
  };
}

/** Families whose keys or signatures take seconds: their authorities are of another. */
const SLOW: readonly string[] = ['RSASSA', 'RSAPSS', 'SLH_DSA'];

/** Of a seed: the same one gives the same chain. */
function drawCredentials(
  crypto: CryptoProvider,
  seed: string | number,
  name: SignatureName,
): Credentials {
  const stream = Random.fromSeed(seed).split(`requester ${name}`);
  const plan = drawChainPlan({
    crypto,
    random: (size) => stream.bytes(size),
    algorithm: name,
    ...(SLOW.includes(signatureFacts(name).family) ? { authorities: 'ECDSA_P384' } : {}),
    roles: ['requester'],
    deviceInfo: DEVICE_INFO,
    notBefore: NOT_BEFORE,
  });
  const { privateKey } = plan.leaf;
  return {
    certificates: buildDeviceChain(crypto, plan).certificates,
    privateKey,
    subjectPublicKeyInfo: subjectPublicKeyInfo(name, crypto.signingPublicKey(name, privateKey)),
  };
}

export interface IdentitySource {
  readonly crypto: CryptoProvider;
  readonly seed: string | number;
  readonly files?: FileReader;
  /** slots 0 to N-1 hold the chain */
  readonly slotCount: number;
}

/** Made when it is first asked for, since only then the algorithms are known. */
export class AttachIdentity implements Identity {
  readonly supportedSlots: number;
  readonly #source: IdentitySource;
  readonly #credentials = new Map<SignatureName, Credentials>();
  readonly #chains = new Map<string, IdentitySlot>();

  constructor(source: IdentitySource) {
    this.#source = source;
    this.supportedSlots = 2 ** source.slotCount - 1;
  }

  #credentialsOf(name: SignatureName): Credentials {
    const { crypto, files, seed } = this.#source;
    const found =
      this.#credentials.get(name) ??
      (files && credentialsOf(crypto, files, name)) ??
      drawCredentials(crypto, seed, name);
    this.#credentials.set(name, found);
    return found;
  }

  #slot(signature: SignatureName, hash: HashName): IdentitySlot {
    const key = `${signature} ${hash}`;
    const known = this.#chains.get(key);
    if (known !== undefined) return known;
    const { certificates, privateKey } = this.#credentialsOf(signature);
    const slot: IdentitySlot = {
      chain: encodeCertChain(this.#source.crypto, hash, CHAIN_VERSION, certificates),
      signer: { algorithm: signature, privateKey },
      keyPairId: 1,
      certModel: 1,
      keyUsage: KEY_USAGE,
    };
    this.#chains.set(key, slot);
    return slot;
  }

  slots({ signature, hash }: IdentityScope): ReadonlyMap<number, IdentitySlot> {
    const slot = this.#slot(signature, hash);
    return new Map([...Array(this.#source.slotCount).keys()].map((index) => [index, slot]));
  }

  publicKey({ signature }: IdentityScope): ProvisionedPublicKey {
    const { privateKey, subjectPublicKeyInfo } = this.#credentialsOf(signature);
    return { subjectPublicKeyInfo, signer: { algorithm: signature, privateKey } };
  }
}

/** KeyExUse, ChallengeUse, MeasurementUse, EndpointInfoUse */
const KEY_USAGE = 0x0f;

/** Roots of a directory for an algorithm: those of slot 0 and of slot 1. */
export function rootsOf(files: FileReader | undefined, name: SignatureName): Uint8Array[] {
  return roleFiles.roots.flatMap((file) => files?.(`${folderOf(name)}/${file}`) ?? []);
}

/** The chain a directory has for SET_CERTIFICATE, as certificates. @throws EngineRefusal on a broken file */
export function chainToSet(
  files: FileReader | undefined,
  name: SignatureName,
): readonly Uint8Array[] | undefined {
  const path = `${folderOf(name)}/${roleFiles.chainToSet}`;
  const bytes = files?.(path);
  if (bytes === undefined) return undefined;
  const certificates = parseChain(bytes);
  if (!certificates.ok) throw unusable(path, certificates);
  return certificates.value.map(({ der }) => der);
}

/** The responder's key: the one given, or the directory's for the algorithm. Undefined: there is none. */
export function peerKeyOf(
  given: Uint8Array | undefined,
  files: FileReader | undefined,
  name: SignatureName,
): PeerPublicKey | Refusal | undefined {
  const der = given ?? files?.(`${folderOf(name)}/${roleFiles.peerPublicKey}`);
  if (der === undefined) return undefined;
  const key = parseSubjectPublicKeyInfo(der, name);
  return key.ok ? { subjectPublicKeyInfo: der, key: key.value } : key;
}
