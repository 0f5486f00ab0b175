/**
 * The floor a handshake stands on: every cryptographic operation of one exchange, none of the protocol.
 * A recording provider notes what both ends ask for; then the same operations run again on node:crypto
 * with keys prepared beforehand. What node:crypto lacks (post-quantum algorithms) runs as it did.
 */

import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type JsonWebKey,
  sign,
  verify,
} from 'node:crypto';
import {
  type AeadName,
  type CurveName,
  curves,
  type GroupName,
  type HashName,
  type SignatureName,
  signatureFacts,
} from '../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';

/** One operation, to be done again. */
export type Operation = () => unknown;

const hashNames: Readonly<Partial<Record<HashName, string>>> = {
  SHA_256: 'sha256',
  SHA_384: 'sha384',
  SHA_512: 'sha512',
};
const curveNames: Readonly<Record<CurveName, { readonly crv: string; readonly ecdh: string }>> = {
  SECP_256_R1: { crv: 'P-256', ecdh: 'prime256v1' },
  SECP_384_R1: { crv: 'P-384', ecdh: 'secp384r1' },
  SECP_521_R1: { crv: 'P-521', ecdh: 'secp521r1' },
};
const aeadNames: Readonly<Partial<Record<AeadName, 'aes-256-gcm'>>> = {
  AES_256_GCM: 'aes-256-gcm',
};

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
const isCurve = (group: GroupName): group is CurveName => Object.hasOwn(curves, group);

function publicJwk(curve: CurveName, point: Uint8Array): JsonWebKey {
  const size = curves[curve].fieldSize;
  const [x, y] = [point.subarray(0, size), point.subarray(size)].map(base64url) as [string, string];
  return { kty: 'EC', crv: curveNames[curve].crv, x, y };
}
const publicKeyOf = (curve: CurveName, point: Uint8Array) =>
  createPublicKey({ key: publicJwk(curve, point), format: 'jwk' });
const privateKeyOf = (curve: CurveName, point: Uint8Array, scalar: Uint8Array) =>
  createPrivateKey({ key: { ...publicJwk(curve, point), d: base64url(scalar) }, format: 'jwk' });

type Arguments<M extends keyof CryptoProvider> = Parameters<
  Extract<CryptoProvider[M], (...args: never[]) => unknown>
>;
/** By method: the operation on node:crypto; undefined: it has none. */
type Bare = {
  readonly [M in keyof CryptoProvider]?: (
    provider: CryptoProvider,
    ...args: Arguments<M>
  ) => Operation | undefined;
};

const ecdsaCurve = (name: SignatureName) => {
  const { family, curve } = signatureFacts(name);
  return family === 'ECDSA' ? curve : undefined;
};

const bare: Bare = {
  hash: (_, name, data) => {
    const native = hashNames[name];
    return native === undefined ? undefined : () => createHash(native).update(data).digest();
  },
  hmac: (_, name, key, data) => {
    const native = hashNames[name];
    return native === undefined ? undefined : () => createHmac(native, key).update(data).digest();
  },
  sign: (provider, name, hash, privateKey, message) => {
    const [curve, native] = [ecdsaCurve(name), hashNames[hash]];
    if (curve === undefined || native === undefined) return undefined;
    const key = privateKeyOf(curve, provider.signingPublicKey(name, privateKey), privateKey);
    return () => sign(native, message, { key, dsaEncoding: 'ieee-p1363' });
  },
  verify: (_, name, hash, publicKey, message, signature) => {
    const [curve, native] = [ecdsaCurve(name), hashNames[hash]];
    if (curve === undefined || native === undefined) return undefined;
    const key = publicKeyOf(curve, publicKey);
    return () => verify(native, message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  },
  publicKey: (_, group) => {
    if (!isCurve(group)) return undefined;
    const ecdh = createECDH(curveNames[group].ecdh);
    return () => ecdh.generateKeys();
  },
  sharedSecret: (provider, group, scalar, peer) => {
    if (!isCurve(group)) return undefined;
    const publicKey = publicKeyOf(group, peer);
    const privateKey = privateKeyOf(group, provider.publicKey(group, scalar), scalar);
    return () => diffieHellman({ privateKey, publicKey });
  },
  aeadSeal: (_, name, key, iv, aad, plaintext) => {
    const native = aeadNames[name];
    if (native === undefined) return undefined;
    return () => {
      const cipher = createCipheriv(native, key, iv).setAAD(aad);
      return [cipher.update(plaintext), cipher.final(), cipher.getAuthTag()];
    };
  },
  aeadOpen: (_, name, key, iv, aad, sealed, tagSize = 16) => {
    const native = aeadNames[name];
    if (native === undefined) return undefined;
    return () => {
      const at = sealed.length - tagSize;
      const decipher = createDecipheriv(native, key, iv).setAAD(aad);
      decipher.setAuthTag(sealed.subarray(at));
      return [decipher.update(sealed.subarray(0, at)), decipher.final()];
    };
  },
};

/** A provider that does what `provider` does, and adds each operation to `operations`. */
export function recording(provider: CryptoProvider, operations: Operation[]): CryptoProvider {
  const untouched: readonly string[] = ['name', 'supports'];
  const entries = Object.entries(provider).map(([method, made]) => {
    if (untouched.includes(method)) return [method, made];
    const again = made as (...args: unknown[]) => unknown;
    const native = bare[method as keyof CryptoProvider] as
      | ((provider: CryptoProvider, ...args: unknown[]) => Operation | undefined)
      | undefined;
    return [
      method,
      (...args: unknown[]) => {
        operations.push(native?.(provider, ...args) ?? (() => again(...args)));
        return again(...args);
      },
    ];
  });
  return Object.fromEntries(entries) as CryptoProvider;
}
