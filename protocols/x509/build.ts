/**
 * One certificate from a plan (RFC 5280 4.1), encoded with asn1js and signed through `CryptoProvider`:
 * synchronous, and the same plan gives the same bytes. What the plan does not name is not there, so that
 * tests can ask for certificates no authority would issue.
 */

import { Set as Asn1Set, PrintableString, type Sequence } from 'asn1js';
import { ascii } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';
import { type HashName, type SignatureName, signatureFacts } from '../crypto/algorithms.ts';
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
import { type NameAttribute, nameAttributes } from './oids.ts';
import { signatureAlgorithm, signatureBits } from './signature.ts';
import { keyInfo } from './spki.ts';
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
  /** of the subject's key; an RSA key looks the same under either padding's name */
  readonly algorithm: SignatureName;
  /** as `CryptoProvider.verify` takes it */
  readonly publicKey: Uint8Array;
  readonly extensions: ExtensionPlan;
}

export interface CertificateSigner {
  readonly signature: SignatureName;
  /** default: the one usually paired with the algorithm */
  readonly hash?: HashName;
  /** as `CryptoProvider.sign` takes it */
  readonly privateKey: Uint8Array;
}

const UTC_TIME = 23;
const GENERALIZED_TIME = 24;
const SERIAL_BYTES_MAX = 20;

/** Name ::= SEQUENCE OF RelativeDistinguishedName, one attribute in each. @throws LocalError */
export function encodeName(name: NamePlan) {
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

function encodeTbs(plan: CertificatePlan, algorithm: Sequence, extensions: Sequence | undefined) {
  return sequence(
    tagged(0, smallInteger(2)),
    encodeSerial(plan.serialNumber),
    algorithm,
    encodeName(plan.issuer),
    sequence(encodeTime(plan.notBefore), encodeTime(plan.notAfter)),
    encodeName(plan.subject),
    keyInfo(plan.algorithm, plan.publicKey),
    ...(extensions === undefined ? [] : [tagged(3, extensions)]),
  );
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
  const { signature } = signer;
  const hash = signer.hash ?? signatureFacts(signature).hash;
  const algorithm = signatureAlgorithm(signature, hash);
  const tbs = encodeTbs(plan, algorithm, encodeExtensions(plan.extensions));
  const raw = crypto.sign(signature, hash, signer.privateKey, derBytes(tbs));
  return derBytes(sequence(tbs, algorithm, bits(signatureBits(signature, raw))));
}
