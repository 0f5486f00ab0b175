/** Certification requests made (PKCS #10, RFC 2986 4), the counterpart of `csr.ts`: what GET_CSR answers. */

import { LocalError } from '../codec/refusal.ts';
import { type HashName, type SignatureName, signatureFacts } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { bits, derBytes, oid, smallInteger, wrap } from './asn1.ts';
import { encodeName, type NamePlan } from './build.ts';
import { type ExtensionPlan, encodeExtensions } from './build-extensions.ts';
import { CSR_BYTES_MAX, type CsrAttribute, type RequestInfo } from './csr.ts';
import { Tags } from './der.ts';
import { EXTENSION_REQUEST } from './oids.ts';
import { signatureAlgorithm, signatureBits } from './signature.ts';
import { subjectPublicKeyInfo } from './spki.ts';

export interface CsrPlan {
  readonly crypto: CryptoProvider;
  readonly algorithm: SignatureName;
  /** as `CryptoProvider.sign` takes it */
  readonly privateKey: Uint8Array;
  /** default: the one usually paired with the algorithm */
  readonly hash?: HashName;
  readonly subject: NamePlan;
  /** asked for in an extensionRequest attribute */
  readonly extensions?: ExtensionPlan;
  /** any others */
  readonly attributes?: readonly CsrAttribute[];
  /** GET_CSR's RequesterInfo, parsed */
  readonly requesterInfo?: RequestInfo;
}

const ATTRIBUTES = 0xa0;
const NAME_EMPTY_BYTES = 2;

/** Elements of a SET OF in the order of their encodings (X.690 11.6). */
function sorted(encodings: readonly Uint8Array[]): Uint8Array[] {
  const compare = (a: Uint8Array, b: Uint8Array) => {
    const at = a.findIndex((byte, i) => byte !== b[i]);
    if (at < 0) return a.length - b.length;
    return at < b.length ? a[at]! - b[at]! : 1;
  };
  return [...encodings].sort(compare);
}

function encodeAttribute({ type, values }: CsrAttribute): Uint8Array {
  if (values.length === 0) throw new LocalError(`attributes: ${type} without values`);
  return wrap(Tags.SEQUENCE, derBytes(oid(type)), wrap(Tags.SET, ...sorted(values)));
}

/** The requester's attributes, then those of the device whose type the requester did not set. */
function attributesOf(plan: CsrPlan): Uint8Array[] {
  const asked = plan.requesterInfo?.attributes ?? [];
  const extensions = encodeExtensions(plan.extensions ?? {});
  const own = [
    ...(extensions === undefined
      ? []
      : [{ type: EXTENSION_REQUEST, values: [derBytes(extensions)] }]),
    ...(plan.attributes ?? []),
  ];
  const isNew = ({ type }: CsrAttribute) => !asked.some((other) => other.type === type);
  return sorted([...asked, ...own.filter(isNew)].map(encodeAttribute));
}

/**
 * A signed request in DER for the key whose private half is given.
 *
 * With `requesterInfo` its subject (unless empty) and attributes go into the request byte by byte, and
 * the plan's own fill in what it leaves out; the key is always the device's, the one it can prove to
 * hold. DSP0274 leaves open what becomes of RequesterInfo's key: this is a choice.
 * @throws LocalError naming the part of the plan that cannot be encoded, and if the result outgrows
 * CSRLength.
 */
export function buildCsr(plan: CsrPlan): Uint8Array {
  const { crypto, algorithm, privateKey, requesterInfo } = plan;
  const hash = plan.hash ?? signatureFacts(algorithm).hash;
  const asked = requesterInfo?.subjectDer;
  const subject =
    asked !== undefined && asked.length > NAME_EMPTY_BYTES
      ? asked
      : derBytes(encodeName(plan.subject));
  const publicKey = crypto.signingPublicKey(algorithm, privateKey);
  const info = wrap(
    Tags.SEQUENCE,
    derBytes(smallInteger(0)),
    subject,
    subjectPublicKeyInfo(algorithm, publicKey),
    wrap(ATTRIBUTES, ...attributesOf(plan)),
  );
  const raw = crypto.sign(algorithm, hash, privateKey, info);
  const csr = wrap(
    Tags.SEQUENCE,
    info,
    derBytes(signatureAlgorithm(algorithm, hash)),
    derBytes(bits(signatureBits(algorithm, raw))),
  );
  if (csr.length > CSR_BYTES_MAX)
    throw new LocalError(`attributes: ${csr.length} bytes, a CSR has at most ${CSR_BYTES_MAX}`);
  return csr;
}
