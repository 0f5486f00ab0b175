/**
 * What a provider is made of: one object per algorithm, and the door in front of them. The door checks
 * what the caller gave, so an object behind it may take sizes and ranges of its own side's arguments for
 * granted; what a peer sent it must judge itself, and never throw on it.
 */

import {
  type AeadName,
  type AlgorithmName,
  aeadAlgorithms,
  type GroupName,
  type HashName,
  hashSizes,
  isSignatureName,
  type KemName,
  kemAlgorithms,
  publicValueSize,
  type SignatureName,
  signatureAlgorithms,
  signatureFacts,
} from './algorithms.ts';
import { checkAead, checkContext, checkName, checkSize } from './arguments.ts';
import type { CryptoProvider, Encapsulated, KemKeyPair } from './provider.ts';

export type Draw = (size: number) => Uint8Array;

export interface SignatureScheme {
  /** @throws LocalError if it is no private key of this scheme */
  checkPrivateKey(privateKey: Uint8Array): void;
  sign(
    hash: HashName,
    privateKey: Uint8Array,
    message: Uint8Array,
    context: Uint8Array,
  ): Uint8Array;
  /** The signature has the scheme's length. */
  verify(
    hash: HashName,
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    context: Uint8Array,
  ): boolean;
  generate(random: Draw): Uint8Array;
  publicKey(privateKey: Uint8Array): Uint8Array;
}

export interface DhGroup {
  /** @throws LocalError if it is no private key of this group */
  checkPrivateKey(privateKey: Uint8Array): void;
  publicKey(privateKey: Uint8Array): Uint8Array;
  /** The peer's value has the group's length. */
  sharedSecret(privateKey: Uint8Array, peerPublicKey: Uint8Array): Uint8Array | undefined;
}

export interface Kem {
  readonly decapsulationKeySize: number;
  keyPair(seed: Uint8Array): KemKeyPair;
  encapsulate(encapsulationKey: Uint8Array, message: Uint8Array): Encapsulated | undefined;
  /** The ciphertext has the algorithm's length. */
  decapsulate(decapsulationKey: Uint8Array, ciphertext: Uint8Array): Uint8Array;
}

export interface Aead {
  seal(
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
    tagSize: number,
  ): Uint8Array;
  /** The sealed bytes are at least as long as the tag. */
  open(
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
    tagSize: number,
  ): Uint8Array | undefined;
}

export type Hash = (data: Uint8Array) => Uint8Array;
export type Hmac = (key: Uint8Array, data: Uint8Array) => Uint8Array;

export interface Engine {
  readonly hashes: Readonly<Record<HashName, Hash>>;
  readonly hmacs: Readonly<Record<HashName, Hmac>>;
  readonly signatures: Readonly<Record<SignatureName, SignatureScheme>>;
  readonly groups: Readonly<Record<GroupName, DhGroup>>;
  readonly kems: Readonly<Record<KemName, Kem>>;
  readonly aeads: Readonly<Record<AeadName, Aead>>;
}

const NONE = new Uint8Array(0);
/** FIPS 203, 7.1 and 7.2: d || z, and m. */
const KEM_SEED_SIZE = 64;
const KEM_MESSAGE_SIZE = 32;

function signing(engine: Engine) {
  const schemeOf = (name: SignatureName) => {
    checkName('name', signatureAlgorithms, name);
    return engine.signatures[name];
  };
  return {
    sign(name, hash, privateKey, message, context = NONE) {
      const scheme = schemeOf(name);
      checkName('hash', hashSizes, hash);
      checkContext(name, context);
      scheme.checkPrivateKey(privateKey);
      return scheme.sign(hash, privateKey, message, context);
    },
    verify(name, hash, publicKey, message, signature, context = NONE) {
      const scheme = schemeOf(name);
      checkName('hash', hashSizes, hash);
      checkContext(name, context);
      if (signature.length !== signatureFacts(name).signatureSize) return false;
      return scheme.verify(hash, publicKey, message, signature, context);
    },
    generateSigningKey: (name, random) => schemeOf(name).generate(random),
    signingPublicKey(name, privateKey) {
      const scheme = schemeOf(name);
      scheme.checkPrivateKey(privateKey);
      return scheme.publicKey(privateKey);
    },
  } satisfies Partial<CryptoProvider>;
}

function agreeing(engine: Engine) {
  const groupOf = (group: GroupName, privateKey: Uint8Array) => {
    checkName('group', engine.groups, group);
    engine.groups[group].checkPrivateKey(privateKey);
    return engine.groups[group];
  };
  const kemOf = (name: KemName) => {
    checkName('name', kemAlgorithms, name);
    return engine.kems[name];
  };
  return {
    publicKey: (group, privateKey) => groupOf(group, privateKey).publicKey(privateKey),
    sharedSecret(group, privateKey, peerPublicKey) {
      const own = groupOf(group, privateKey);
      if (peerPublicKey.length !== publicValueSize(group)) return undefined;
      return own.sharedSecret(privateKey, peerPublicKey);
    },
    kemKeyPair(name, seed) {
      const kem = kemOf(name);
      checkSize('seed', name, seed, KEM_SEED_SIZE);
      return kem.keyPair(seed);
    },
    kemEncapsulate(name, encapsulationKey, message) {
      const kem = kemOf(name);
      checkSize('message', name, message, KEM_MESSAGE_SIZE);
      if (encapsulationKey.length !== kemAlgorithms[name].encapsulationKeySize) return undefined;
      return kem.encapsulate(encapsulationKey, message);
    },
    kemDecapsulate(name, decapsulationKey, ciphertext) {
      const kem = kemOf(name);
      checkSize('decapsulationKey', name, decapsulationKey, kem.decapsulationKeySize);
      if (ciphertext.length !== kemAlgorithms[name].ciphertextSize) return undefined;
      return kem.decapsulate(decapsulationKey, ciphertext);
    },
  } satisfies Partial<CryptoProvider>;
}

/** A provider of everything its engine has: checks first, then the algorithm. */
export function providerOf(name: string, engine: Engine): CryptoProvider {
  const tables: readonly object[] = [hashSizes, engine.groups, kemAlgorithms, aeadAlgorithms];
  return {
    name,
    supports: (algorithm: AlgorithmName) =>
      isSignatureName(algorithm) || tables.some((table) => Object.hasOwn(table, algorithm)),
    hash(hash, data) {
      checkName('name', hashSizes, hash);
      return engine.hashes[hash](data);
    },
    hmac(hash, key, data) {
      checkName('name', hashSizes, hash);
      return engine.hmacs[hash](key, data);
    },
    ...signing(engine),
    ...agreeing(engine),
    aeadSeal(aead, key, iv, aad, plaintext, tagSize = aeadAlgorithms[aead]?.tagSize) {
      checkAead(aead, key, iv, tagSize);
      return engine.aeads[aead].seal(key, iv, aad, plaintext, tagSize);
    },
    aeadOpen(aead, key, iv, aad, sealed, tagSize = aeadAlgorithms[aead]?.tagSize) {
      checkAead(aead, key, iv, tagSize);
      if (sealed.length < tagSize) return undefined;
      return engine.aeads[aead].open(key, iv, aad, sealed, tagSize);
    },
  };
}
