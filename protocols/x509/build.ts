/**
 * One certificate from a plan (RFC 5280 4.1), encoded with asn1js and signed through `CryptoProvider`:
 * synchronous, and the same plan gives the same bytes. What the plan does not name is not there, so that
 * tests can ask for certificates no authority would issue.
 */

import { Set as Asn1Set, PrintableString, type Sequence } from 'asn1js';
import { ascii, concat } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';
import {
  type CurveName,
  curves,
  type HashName,
  type SignatureName,
  signatureAlgorithms,
} from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import {
  bits,
  derBytes,
  oid,
  positiveInteger,
  sequence,
  smallInteger,
  tagged,
  universal,
  utf8,
} from './asn1.ts';
import { type ExtensionPlan, encodeExtensions } from './build-extensions.ts';
import { curveOids, EC_PUBLIC_KEY, ecdsaOids, type NameAttribute, nameAttributes } from './oids.ts';
import { encodedTime } from './time.ts';

/** A distinguished name, most general attribute first as usual: `[['C', 'US'], ['CN', 'Root']]`. */
export type NamePlan = readonly (readonly [attribute: NameAttribute, value: string])[];

export interface CertificatePlan {
  readonly issuer: NamePlan;
  readonly subject: NamePlan;
  /** positive, most significant byte first, at most 20 bytes with its sign bit */
  readonly serialNumber: Uint8Array;
  /** `YYYYMMDDHHMMSSZ` */
  readonly notBefore: string;
  readonly notAfter: string;
  readonly curve: CurveName;
  /** X || Y */
  readonly publicKey: Uint8Array;
  readonly extensions: ExtensionPlan;
}

export interface CertificateSigner {
  readonly signature: SignatureName;
  /** default: the one DSP0274 pairs with the curve */
  readonly hash?: HashName;
  /** scalar in [1, n-1], most significant byte first */
  readonly privateKey: Uint8Array;
}

const UTC_TIME = 23;
const GENERALIZED_TIME = 24;
const SERIAL_BYTES_MAX = 20;
const POINT_UNCOMPRESSED = Uint8Array.of(0x04);

function encodeName(name: NamePlan) {
  return sequence(
    ...name.map(([attribute, value]) => {
      const { oid: type, printable } = nameAttributes[attribute];
      if (printable && !/^[A-Za-z0-9 '()+,./:=?-]*$/.test(value))
        throw new LocalError(`name: ${attribute} takes a PrintableString, got ${value}`);
      const text = printable ? new PrintableString({ value }) : utf8(value);
      return new Asn1Set({ value: [sequence(oid(type), text)] });
    }),
  );
}

/** Written as text: a date object would bring the platform's calendar into the bytes. */
function encodeTime(time: string) {
  const { kind, text } = encodedTime(time);
  return universal(kind === 'UTCTime' ? UTC_TIME : GENERALIZED_TIME, ascii(text));
}

function encodeSerial(serialNumber: Uint8Array) {
  const block = positiveInteger(serialNumber, 'serialNumber');
  const size = derBytes(block).length - 2;
  if (size > SERIAL_BYTES_MAX)
    throw new LocalError(`serialNumber: at most ${SERIAL_BYTES_MAX} bytes, got ${size}`);
  return block;
}

function encodePublicKey(curve: CurveName, publicKey: Uint8Array) {
  const size = 2 * curves[curve].fieldSize;
  if (publicKey.length !== size)
    throw new LocalError(`publicKey: ${curve} takes ${size} bytes, got ${publicKey.length}`);
  return sequence(
    sequence(oid(EC_PUBLIC_KEY), oid(curveOids[curve])),
    bits(concat(POINT_UNCOMPRESSED, publicKey)),
  );
}

function encodeTbs(plan: CertificatePlan, algorithm: Sequence, extensions: Sequence | undefined) {
  return sequence(
    tagged(0, smallInteger(2)),
    encodeSerial(plan.serialNumber),
    algorithm,
    encodeName(plan.issuer),
    sequence(encodeTime(plan.notBefore), encodeTime(plan.notAfter)),
    encodeName(plan.subject),
    encodePublicKey(plan.curve, plan.publicKey),
    ...(extensions === undefined ? [] : [tagged(3, extensions)]),
  );
}

/** ECDSA-Sig-Value of r || s (RFC 3279 2.2.3). */
export function encodeEcdsaSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const [r, s] = [raw.subarray(0, half), raw.subarray(half)];
  return derBytes(sequence(positiveInteger(r, 'r'), positiveInteger(s, 's')));
}

/**
 * The certificate in DER.
 * @throws LocalError naming the part of the plan that cannot be encoded.
 */
export function buildCertificate(
  crypto: CryptoProvider,
  plan: CertificatePlan,
  signer: CertificateSigner,
): Uint8Array {
  const hash = signer.hash ?? signatureAlgorithms[signer.signature].hash;
  const algorithm = sequence(oid(ecdsaOids[hash]));
  const tbs = encodeTbs(plan, algorithm, encodeExtensions(plan.extensions));
  const raw = crypto.sign(signer.signature, hash, signer.privateKey, derBytes(tbs));
  return derBytes(sequence(tbs, algorithm, bits(encodeEcdsaSignature(raw))));
}
