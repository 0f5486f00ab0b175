/** Keys, names and plans the certificate tests share. */

import { execFileSync } from 'node:child_process';
import { concat, fromHex } from '../../../protocols/codec/bytes.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { buildCertificate, type CertificatePlan } from '../../../protocols/x509/build.ts';
import { type ExtensionPlan, keyIdentifier } from '../../../protocols/x509/build-extensions.ts';
import {
  buildDeviceChain,
  type DeviceChain,
  type DeviceChainPlan,
} from '../../../protocols/x509/device-chain.ts';
import { type Certificate, parseCertificate } from '../../../protocols/x509/parse.ts';
import { parseCertificates } from '../../../protocols/x509/split.ts';

export const crypto = nodeProvider;
export const NOT_BEFORE = '20240101000000Z';
export const NOT_AFTER = '99991231235959Z';
/** 2026-01-01T00:00:00Z */
export const AT = 1_767_225_600;
export const DEVICE_INFO = 'ACME:WIDGET:0123456789';

/** A scalar of `size` bytes, small enough for every curve of that size. */
export const scalar = (size: number, seed: number) =>
  Uint8Array.from({ length: size }, (_, i) => (i === 0 ? 0 : (seed * 31 + i * 7) & 0xff));

export type EcdsaName = 'ECDSA_P256' | 'ECDSA_P384' | 'ECDSA_P521';

export function chainPlan(
  signature: EcdsaName,
  change: Partial<DeviceChainPlan> = {},
): DeviceChainPlan {
  const size = { ECDSA_P256: 32, ECDSA_P384: 48, ECDSA_P521: 66 }[signature];
  const entity = (name: string, seed: number) => ({
    name: [
      ['C', 'US'],
      ['O', 'Acme, Inc.'],
      ['CN', name],
    ] as const,
    privateKey: scalar(size, seed),
    serialNumber: fromHex(`80${seed.toString(16).padStart(6, '0')}`),
  });
  return {
    signature,
    root: entity('Test Root CA', 1),
    intermediate: entity('Test Device CA', 2),
    leaf: entity('Test Device', 3),
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    deviceInfo: DEVICE_INFO,
    ...change,
  };
}

const built = new Map<EcdsaName, DeviceChain>();
/** The plain chain of an algorithm, built once. */
export function deviceChain(signature: EcdsaName): DeviceChain {
  const chain = built.get(signature) ?? buildDeviceChain(crypto, chainPlan(signature));
  built.set(signature, chain);
  return chain;
}

export function parsed(ders: readonly Uint8Array[]): Certificate[] {
  const result = parseCertificates(ders);
  if (!result.ok) throw new Error(`${result.code} ${result.path} ${result.detail}`);
  return result.value;
}

export function parsedOne(der: Uint8Array): Certificate {
  const result = parseCertificate(der);
  if (!result.ok) throw new Error(`${result.code} ${result.path} ${result.detail}`);
  return result.value;
}

/** A made-up authority or device for chains that `buildDeviceChain` would not build. */
export interface Party {
  readonly name: string;
  readonly key: Uint8Array;
}
export const party = (name: string, seed: number): Party => ({ name, key: scalar(32, seed) });

export const CA: ExtensionPlan = { basicConstraints: { cA: true }, keyUsage: ['keyCertSign'] };
export const END: ExtensionPlan = { keyUsage: ['digitalSignature'] };

/** A P-256 certificate for `subject` by `issuer`, with key identifiers unless the plan has its own. */
export function issue(
  issuer: Party,
  subject: Party,
  extensions: ExtensionPlan,
  change: Partial<CertificatePlan> = {},
): Uint8Array {
  const publicKey = crypto.publicKey('SECP_256_R1', subject.key);
  const issuerKey = crypto.publicKey('SECP_256_R1', issuer.key);
  return buildCertificate(
    crypto,
    {
      issuer: [['CN', issuer.name]],
      subject: [['CN', subject.name]],
      serialNumber: Uint8Array.of(7),
      notBefore: NOT_BEFORE,
      notAfter: NOT_AFTER,
      algorithm: 'ECDSA_P256',
      publicKey,
      extensions: {
        subjectKeyIdentifier: keyIdentifier(crypto, 'ECDSA_P256', publicKey),
        authorityKeyIdentifier: keyIdentifier(crypto, 'ECDSA_P256', issuerKey),
        ...extensions,
      },
      ...change,
    },
    { signature: 'ECDSA_P256', privateKey: issuer.key },
  );
}

/** Tag, length and content, for encodings the builder would not make. */
export function tlv(tag: number, ...content: Uint8Array[]): Uint8Array {
  const body = concat(...content);
  const n = body.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 0xff];
  return concat(Uint8Array.of(tag, ...length), body);
}

export function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** OpenSSL's version, or undefined where it is not installed. */
export function opensslVersion(): string | undefined {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return undefined;
  }
}
