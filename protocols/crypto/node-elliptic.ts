/**
 * ECDSA and ECDH by node:crypto. OpenSSL draws random nonces where a replayable run needs RFC 6979, so a
 * signature is put together here: the nonce by HMAC, its point from a multiplication of the generator,
 * the rest by a few operations on numbers. None of this hides its timing; a simulator's keys guard nothing.
 */

import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  verify as nodeVerify,
} from 'node:crypto';
import { invert } from '@noble/curves/abstract/modular.js';
import { bytesToNumberBE, createHmacDrbg, numberToBytesBE } from '@noble/curves/utils.js';
import { concat, fromHex } from '../codec/bytes.ts';
import { type CurveName, curves, type HashName, hashSizes } from './algorithms.ts';
import { isScalar } from './arguments.ts';
import { remembered } from './bounded-cache.ts';
import { nobleCurves, UNCOMPRESSED } from './elliptic.ts';
import type { DhGroup, Hash, Hmac, SignatureScheme } from './engine.ts';
import { generatorMultiple } from './generator-table.ts';

/** DER up to the point of SubjectPublicKeyInfo, and around the scalar of ECPrivateKey (RFC 5480, 5915). */
interface Frames {
  readonly spki: Uint8Array;
  readonly beforeScalar: Uint8Array;
  readonly beforePoint: Uint8Array;
}
const frames: Readonly<Record<CurveName, Frames>> = {
  SECP_256_R1: {
    spki: fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200'),
    beforeScalar: fromHex('30770201010420'),
    beforePoint: fromHex('a00a06082a8648ce3d030107a144034200'),
  },
  SECP_384_R1: {
    spki: fromHex('3076301006072a8648ce3d020106052b81040022036200'),
    beforeScalar: fromHex('3081a40201010430'),
    beforePoint: fromHex('a00706052b81040022a164036200'),
  },
  SECP_521_R1: {
    spki: fromHex('30819b301006072a8648ce3d020106052b8104002303818600'),
    beforeScalar: fromHex('3081dc0201010442'),
    beforePoint: fromHex('a00706052b81040023a1818903818600'),
  },
};
export const nodeCurveNames = {
  SECP_256_R1: 'prime256v1',
  SECP_384_R1: 'secp384r1',
  SECP_521_R1: 'secp521r1',
} as const;

const der = (bytes: Uint8Array) => ({ key: Buffer.from(bytes), format: 'der' }) as const;
export const plain = (buffer: Buffer): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);

/** Multiplications after which the table of the generator has paid for itself (about 80 ms to make). */
const TABLE_PAYS_AFTER = 300;

/**
 * X || Y of k G. OpenSSL has a fast path for the generator of P-256 only; for the other curves a table is
 * twice as quick, once a process is busy enough to make it.
 */
function multiplier(curve: CurveName): (scalar: Uint8Array) => Uint8Array {
  let ecdh: ReturnType<typeof createECDH> | undefined;
  let count = 0;
  return (scalar) => {
    if (curve !== 'SECP_256_R1' && count++ >= TABLE_PAYS_AFTER)
      return generatorMultiple(curve, bytesToNumberBE(scalar));
    ecdh ??= createECDH(nodeCurveNames[curve]);
    ecdh.setPrivateKey(scalar);
    return plain(ecdh.getPublicKey()).subarray(1);
  };
}

/** Keys of one curve, each prepared once while it is in use. */
function keysOf(curve: CurveName) {
  const { spki, beforeScalar, beforePoint } = frames[curve];
  const multiple = multiplier(curve);
  const point = remembered(multiple);
  /** Throws if the point is not on the curve. */
  const publicObject = (publicKey: Uint8Array) =>
    createPublicKey({ ...der(concat(spki, UNCOMPRESSED, publicKey)), type: 'spki' });
  return {
    multiple,
    point,
    publicObject,
    verifier: remembered(publicObject),
    privateObject: remembered((privateKey) => {
      const parts = [beforeScalar, privateKey, beforePoint, UNCOMPRESSED, point(privateKey)];
      return createPrivateKey({ ...der(concat(...parts)), type: 'sec1' });
    }),
  };
}
const keys = {
  SECP_256_R1: keysOf('SECP_256_R1'),
  SECP_384_R1: keysOf('SECP_384_R1'),
  SECP_521_R1: keysOf('SECP_521_R1'),
} as const;

export interface EcdsaParts {
  readonly hashes: Readonly<Record<HashName, Hash>>;
  readonly hmacs: Readonly<Record<HashName, Hmac>>;
  /** the names OpenSSL knows the hashes by; without one, `portable` verifies */
  readonly names: Readonly<Partial<Record<HashName, string>>>;
  readonly portable: SignatureScheme;
}

/** The signature r || s of FIPS 186-5, 6.4.1, with the nonce of RFC 6979, 3.2. */
function signer(curve: CurveName, { hashes, hmacs }: EcdsaParts) {
  const { Fn } = nobleCurves[curve].Point;
  const size = curves[curve].fieldSize;
  /** bits2int: the leftmost bits, as many as n has (RFC 6979, 2.3.2). */
  const toInteger = (bytes: Uint8Array) => {
    const excess = 8 * bytes.length - Fn.BITS;
    return excess > 0 ? bytesToNumberBE(bytes) >> BigInt(excess) : bytesToNumberBE(bytes);
  };
  const generators = Object.fromEntries(
    Object.entries(hashSizes).map(([name, hashSize]) => [
      name,
      createHmacDrbg<Uint8Array>(hashSize, size, hmacs[name as HashName]),
    ]),
  ) as Record<HashName, ReturnType<typeof createHmacDrbg<Uint8Array>>>;

  return (hash: HashName, privateKey: Uint8Array, message: Uint8Array): Uint8Array => {
    const n = Fn.ORDER;
    const z = toInteger(hashes[hash](message)) % n;
    const d = bytesToNumberBE(privateKey);
    return generators[hash](concat(privateKey, numberToBytesBE(z, size)), (candidate) => {
      const nonce = numberToBytesBE(toInteger(candidate), size);
      if (!isScalar(curve, nonce)) return undefined;
      const r = bytesToNumberBE(keys[curve].multiple(nonce).subarray(0, size)) % n;
      const s = (invert(bytesToNumberBE(nonce), n) * ((z + r * d) % n)) % n;
      // Neither zero has ever been seen; RFC 6979 then asks for the next nonce.
      if (r === 0n || s === 0n) return undefined;
      return concat(numberToBytesBE(r, size), numberToBytesBE(s, size));
    });
  };
}

export function nodeEcdsa(curve: CurveName, parts: EcdsaParts): SignatureScheme {
  const { portable, names } = parts;
  return {
    ...portable,
    sign: signer(curve, parts),
    verify(hash, publicKey, message, signature, context) {
      const name = names[hash];
      if (name === undefined) return portable.verify(hash, publicKey, message, signature, context);
      if (publicKey.length !== 2 * curves[curve].fieldSize) return false;
      try {
        const key = keys[curve].verifier(publicKey);
        return nodeVerify(name, message, { key, dsaEncoding: 'ieee-p1363' }, signature);
      } catch {
        return false;
      }
    },
    publicKey: (privateKey) => keys[curve].point(privateKey).slice(),
  };
}

type Agree = DhGroup['sharedSecret'];

/** By key objects: OpenSSL parses two keys, and multiplies the peer's point twice. */
function agreeByObjects(curve: CurveName): Agree {
  return (privateKey, peerPublicKey) => {
    const own = keys[curve].privateObject(privateKey);
    try {
      const publicKey = keys[curve].publicObject(peerPublicKey);
      return plain(diffieHellman({ privateKey: own, publicKey }));
    } catch {
      return undefined;
    }
  };
}

/**
 * By the older interface, which takes the bytes as they are but multiplies the generator twice more. On
 * P-256, where that is quick, it takes a third of the time; on the other curves twice the time.
 */
function agreeByBytes(curve: CurveName): Agree {
  const ecdh = createECDH(nodeCurveNames[curve]);
  return (privateKey, peerPublicKey) => {
    ecdh.setPrivateKey(privateKey);
    try {
      return plain(ecdh.computeSecret(concat(UNCOMPRESSED, peerPublicKey)));
    } catch {
      return undefined;
    }
  };
}

export function nodeEcdh(curve: CurveName, portable: DhGroup): DhGroup {
  return {
    ...portable,
    publicKey: (privateKey) => keys[curve].point(privateKey).slice(),
    sharedSecret: curve === 'SECP_256_R1' ? agreeByBytes(curve) : agreeByObjects(curve),
  };
}
