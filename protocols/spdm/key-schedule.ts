/** The SPDM key schedule (DSP0274 12): from the DHE or pre-shared secret to traffic keys. */

import { ascii, concat, le } from '../codec/bytes.ts';
import { type AeadName, aeadAlgorithms, type HashName, hashSizes } from '../crypto/algorithms.ts';
import { hkdfExpand, hkdfExtract } from '../crypto/hkdf.ts';
import type { CryptoProvider } from '../crypto/provider.ts';

export interface KeyScope {
  readonly crypto: CryptoProvider;
  readonly hash: HashName;
  /** negotiated SPDM version byte: it stands in every label */
  readonly version: number;
  readonly aead: AeadName;
}

/** BinConcat(length, version label, label, context) of DSP0274 12.1. */
export function binConcat(
  size: number,
  version: number,
  label: string,
  context: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const text = `spdm${version >> 4}.${version & 15} ${label}`;
  return concat(le(size, 2), ascii(text), context);
}

function expand(
  scope: KeyScope,
  secret: Uint8Array,
  label: string,
  size: number,
  context?: Uint8Array,
): Uint8Array {
  const info = binConcat(size, scope.version, label, context);
  return hkdfExpand(scope.crypto, scope.hash, secret, info, size);
}

/** Key and IV salt of one direction in one phase. */
export interface TrafficKeys {
  readonly secret: Uint8Array;
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
}

export function trafficKeys(scope: KeyScope, secret: Uint8Array): TrafficKeys {
  const { keySize, ivSize } = aeadAlgorithms[scope.aead];
  return {
    secret,
    key: expand(scope, secret, 'key', keySize),
    iv: expand(scope, secret, 'iv', ivSize),
  };
}

/** KEY_UPDATE: the next secret of one direction. */
export function updatedKeys(scope: KeyScope, current: TrafficKeys): TrafficKeys {
  const size = hashSizes[scope.hash];
  return trafficKeys(scope, expand(scope, current.secret, 'traffic upd', size));
}

export interface HandshakeKeys {
  readonly handshakeSecret: Uint8Array;
  readonly request: TrafficKeys;
  readonly response: TrafficKeys;
  readonly requestFinishedKey: Uint8Array;
  readonly responseFinishedKey: Uint8Array;
}

/**
 * Handshake phase. `th1` is the hash of the transcript up to and with the KEY_EXCHANGE_RSP signature
 * (its HMAC left out). From 1.3 on a PSK session starts from a salt of 0xFF bytes.
 */
export function handshakeKeys(
  scope: KeyScope,
  secret: Uint8Array,
  th1: Uint8Array,
  psk = false,
): HandshakeKeys {
  const size = hashSizes[scope.hash];
  const salt = new Uint8Array(size).fill(psk && scope.version >= 0x13 ? 0xff : 0);
  const handshakeSecret = hkdfExtract(scope.crypto, scope.hash, salt, secret);
  const request = expand(scope, handshakeSecret, 'req hs data', size, th1);
  const response = expand(scope, handshakeSecret, 'rsp hs data', size, th1);
  return {
    handshakeSecret,
    request: trafficKeys(scope, request),
    response: trafficKeys(scope, response),
    requestFinishedKey: expand(scope, request, 'finished', size),
    responseFinishedKey: expand(scope, response, 'finished', size),
  };
}

export interface DataKeys {
  readonly masterSecret: Uint8Array;
  readonly request: TrafficKeys;
  readonly response: TrafficKeys;
  readonly exportMasterSecret: Uint8Array;
}

/** Application phase; `th2` is the hash of the whole handshake. */
export function dataKeys(scope: KeyScope, handshakeSecret: Uint8Array, th2: Uint8Array): DataKeys {
  const size = hashSizes[scope.hash];
  const salt = expand(scope, handshakeSecret, 'derived', size);
  const masterSecret = hkdfExtract(scope.crypto, scope.hash, salt, new Uint8Array(size));
  return {
    masterSecret,
    request: trafficKeys(scope, expand(scope, masterSecret, 'req app data', size, th2)),
    response: trafficKeys(scope, expand(scope, masterSecret, 'rsp app data', size, th2)),
    exportMasterSecret: expand(scope, masterSecret, 'exp master', size, th2),
  };
}

/** VerifyData of FINISH, FINISH_RSP, KEY_EXCHANGE_RSP: HMAC over the transcript's hash. */
export function verifyData(
  scope: KeyScope,
  finishedKey: Uint8Array,
  transcriptHash: Uint8Array,
): Uint8Array {
  return scope.crypto.hmac(scope.hash, finishedKey, transcriptHash);
}
