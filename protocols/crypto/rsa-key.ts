/**
 * RSA keys as bytes: RSAPrivateKey and RSAPublicKey of PKCS #1 (RFC 8017, A.1) in DER, read and written
 * here, since x509 stands above crypto. A number must have its shortest encoding, as DER asks.
 */

import { bytesToNumberBE, numberToVarBytesBE } from '@noble/curves/utils.js';
import { concat } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';
import { remembered } from './bounded-cache.ts';

export interface RsaPublicKey {
  readonly n: bigint;
  readonly e: bigint;
}
/** With the parts of the Chinese remainder theorem: dP = d mod p-1, dQ = d mod q-1, qInv = 1/q mod p. */
export interface RsaPrivateKey extends RsaPublicKey {
  readonly d: bigint;
  readonly p: bigint;
  readonly q: bigint;
  readonly dP: bigint;
  readonly dQ: bigint;
  readonly qInv: bigint;
}

const INTEGER = 0x02;
const SEQUENCE = 0x30;
/** Nothing here is longer: a 4096-bit private key has about 2,350 bytes. */
const CONTENT_SIZE_MAX = 0xffff;
/** Bits of a public exponent; OpenSSL refuses longer ones above 3072-bit moduli, so a choice: always. */
const EXPONENT_BITS_MAX = 64n;

function tlv(tag: number, content: Uint8Array): Uint8Array {
  const size = content.length;
  let head = [tag, 0x82, size >> 8, size & 0xff];
  if (size < 0x80) head = [tag, size];
  else if (size < 0x100) head = [tag, 0x81, size];
  return concat(Uint8Array.from(head), content);
}

function integer(value: bigint): Uint8Array {
  const bytes = numberToVarBytesBE(value);
  // DER integers are signed: a leading zero keeps the number positive.
  return tlv(INTEGER, bytes[0]! & 0x80 ? concat(Uint8Array.of(0), bytes) : bytes);
}

const sequence = (values: readonly bigint[]) => tlv(SEQUENCE, concat(...values.map(integer)));

interface Element {
  readonly content: Uint8Array;
  readonly rest: Uint8Array;
}

function element(bytes: Uint8Array, tag: number): Element | undefined {
  const [found, first] = bytes;
  if (found !== tag || first === undefined || first === 0x80 || first > 0x82) return undefined;
  const sizeBytes = first > 0x80 ? first - 0x80 : 0;
  let size = first;
  if (sizeBytes > 0) {
    if (bytes.length < 2 + sizeBytes) return undefined;
    size = bytes[2]!;
    if (sizeBytes === 2) size = size * 256 + bytes[3]!;
    if (size < (sizeBytes === 1 ? 0x80 : 0x100) || size > CONTENT_SIZE_MAX) return undefined;
  }
  const start = 2 + sizeBytes;
  if (bytes.length < start + size) return undefined;
  return { content: bytes.subarray(start, start + size), rest: bytes.subarray(start + size) };
}

/** Exactly `count` numbers, none negative; undefined if the bytes are anything else. */
function readNumbers(der: Uint8Array, count: number): bigint[] | undefined {
  const outer = element(der, SEQUENCE);
  if (outer === undefined || outer.rest.length > 0) return undefined;
  const values: bigint[] = [];
  let rest = outer.content;
  while (rest.length > 0) {
    const next = element(rest, INTEGER);
    if (next === undefined || values.length === count) return undefined;
    const [first, second] = next.content;
    if (first === undefined || first & 0x80) return undefined;
    if (first === 0 && second !== undefined && !(second & 0x80)) return undefined;
    values.push(bytesToNumberBE(next.content));
    rest = next.rest;
  }
  return values.length === count ? values : undefined;
}

const isModulusOf = (n: bigint, bits: number) => (n & 1n) === 1n && n >> BigInt(bits - 1) === 1n;
const isExponent = (e: bigint) => (e & 1n) === 1n && e >= 3n && e >> EXPONENT_BITS_MAX === 0n;

export const encodeRsaPublicKey = ({ n, e }: RsaPublicKey): Uint8Array => sequence([n, e]);

export const encodeRsaPrivateKey = (key: RsaPrivateKey): Uint8Array =>
  sequence([0n, key.n, key.e, key.d, key.p, key.q, key.dP, key.dQ, key.qInv]);

const publicNumbers = remembered((der) => readNumbers(der, 2) ?? null);
const privateNumbers = remembered((der) => readPrivate(der) ?? null);

function readPrivate(der: Uint8Array): RsaPrivateKey | undefined {
  const numbers = readNumbers(der, 9);
  if (numbers === undefined) return undefined;
  const [version, n, e, d, p, q, dP, dQ, qInv] = numbers as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  if (version !== 0n || p < 3n || q < 3n || n !== p * q || !isExponent(e)) return undefined;
  const fits = (e * d) % (p - 1n) === 1n && (e * d) % (q - 1n) === 1n;
  const parts = dP === d % (p - 1n) && dQ === d % (q - 1n) && (q * qInv) % p === 1n && qInv < p;
  return fits && parts && d < n ? { n, e, d, p, q, dP, dQ, qInv } : undefined;
}

/** Undefined unless it is a public key of exactly `bits` bits; for what a peer sent. */
export function decodeRsaPublicKey(der: Uint8Array, bits: number): RsaPublicKey | undefined {
  const numbers = publicNumbers(der);
  if (numbers === null) return undefined;
  const [n, e] = numbers as [bigint, bigint];
  return isModulusOf(n, bits) && isExponent(e) ? { n, e } : undefined;
}

/** @throws LocalError unless it is a private key of exactly `bits` bits whose numbers fit together. */
export function decodeRsaPrivateKey(der: Uint8Array, bits: number): RsaPrivateKey {
  const key = privateNumbers(der);
  if (key === null) throw new LocalError('privateKey: no RSAPrivateKey (RFC 8017, A.1.2)');
  if (!isModulusOf(key.n, bits))
    throw new LocalError(
      `privateKey: takes a modulus of ${bits} bits, got ${key.n.toString(2).length}`,
    );
  return key;
}
