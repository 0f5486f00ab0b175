/**
 * Encoding of certificate extensions (RFC 5280 4.2; DSP0274 for otherName and the SPDM extension), the
 * counterpart of `extensions.ts`. They come out in one fixed order.
 */

import type { Sequence } from 'asn1js';
import { LocalError } from '../codec/refusal.ts';
import type { SignatureName } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import {
  type Block,
  bits,
  derBytes,
  implicit,
  octets,
  oid,
  sequence,
  smallInteger,
  TRUE,
  tagged,
  utf8,
} from './asn1.ts';
import { DmtfOids, ExtensionOids, type KeyUsageName, keyUsageBits } from './oids.ts';
import { publicKeyBits } from './spki.ts';

export interface ExtensionPlan {
  readonly basicConstraints?: { readonly cA: boolean; readonly pathLenConstraint?: number };
  readonly keyUsage?: readonly KeyUsageName[];
  readonly subjectKeyIdentifier?: Uint8Array;
  readonly authorityKeyIdentifier?: Uint8Array;
  /** dotted identifiers */
  readonly extKeyUsage?: readonly string[];
  /** subject alternative names of type otherName with a UTF8String each */
  readonly otherNames?: readonly { readonly typeId: string; readonly value: string }[];
  /** identifiers that DMTF's SPDM extension lists */
  readonly spdmOids?: readonly string[];
  /** anything else, already encoded: DICE TcbInfo, or what a test wants refused */
  readonly others?: readonly {
    readonly extnID: string;
    readonly critical: boolean;
    readonly extnValue: Uint8Array;
  }[];
}

function extension(extnID: string, critical: boolean, value: Block | Uint8Array): Sequence {
  const extnValue = value instanceof Uint8Array ? value : derBytes(value);
  // critical is DEFAULT FALSE, which DER leaves out.
  const flag = critical ? [TRUE()] : [];
  return sequence(oid(extnID), ...flag, octets(extnValue));
}

function encodeBasicConstraints(plan: NonNullable<ExtensionPlan['basicConstraints']>): Block {
  const parts: Block[] = plan.cA ? [TRUE()] : [];
  if (plan.pathLenConstraint !== undefined) {
    if (!Number.isSafeInteger(plan.pathLenConstraint) || plan.pathLenConstraint < 0)
      throw new LocalError(`pathLenConstraint: ${plan.pathLenConstraint} is no count`);
    parts.push(smallInteger(plan.pathLenConstraint));
  }
  return sequence(...parts);
}

/** A named-bit list: bit 0 is the top bit of the first byte, trailing zero bits are left out. */
function encodeKeyUsage(names: readonly KeyUsageName[]): Block {
  const numbers = names.map((name) => keyUsageBits.indexOf(name));
  if (numbers.length === 0 || numbers.includes(-1))
    throw new LocalError(`keyUsage: expected names of KeyUsage bits, got ${names.join(', ')}`);
  const last = Math.max(...numbers);
  const valueHex = new Uint8Array(1 + (last >> 3));
  for (const bit of numbers) valueHex[bit >> 3] = valueHex[bit >> 3]! | (0x80 >> (bit & 7));
  return bits(valueHex, 7 - (last & 7));
}

function encodeOtherName({ typeId, value }: { typeId: string; value: string }): Block {
  return tagged(0, oid(typeId), tagged(0, utf8(value)));
}

/** Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension; undefined of none. @throws LocalError naming what cannot be encoded. */
export function encodeExtensions(plan: ExtensionPlan): Sequence | undefined {
  const out: Sequence[] = [];
  const put = (extnID: string, critical: boolean, value: Block | undefined) => {
    if (value !== undefined) out.push(extension(extnID, critical, value));
  };
  const { basicConstraints, keyUsage, subjectKeyIdentifier, authorityKeyIdentifier } = plan;
  const { extKeyUsage, otherNames, spdmOids } = plan;
  put(
    ExtensionOids.BASIC_CONSTRAINTS,
    true,
    basicConstraints && encodeBasicConstraints(basicConstraints),
  );
  put(ExtensionOids.KEY_USAGE, true, keyUsage && encodeKeyUsage(keyUsage));
  put(
    ExtensionOids.SUBJECT_KEY_IDENTIFIER,
    false,
    subjectKeyIdentifier && octets(subjectKeyIdentifier),
  );
  put(
    ExtensionOids.AUTHORITY_KEY_IDENTIFIER,
    false,
    authorityKeyIdentifier && sequence(implicit(0, authorityKeyIdentifier)),
  );
  put(ExtensionOids.EXT_KEY_USAGE, false, extKeyUsage && sequence(...extKeyUsage.map(oid)));
  put(
    ExtensionOids.SUBJECT_ALT_NAME,
    false,
    otherNames && sequence(...otherNames.map(encodeOtherName)),
  );
  put(
    DmtfOids.SPDM_EXTENSION,
    false,
    spdmOids && sequence(...spdmOids.map((id) => sequence(oid(id)))),
  );
  for (const other of plan.others ?? [])
    out.push(extension(other.extnID, other.critical, other.extnValue));
  return out.length === 0 ? undefined : sequence(...out);
}

const KEY_IDENTIFIER_SIZE = 20;

/**
 * Key identifier: the leftmost 160 bits of SHA-256 over the public key's bits (RFC 7093 2, method 1).
 * @throws LocalError unless the key has the algorithm's form.
 */
export function keyIdentifier(
  crypto: CryptoProvider,
  algorithm: SignatureName,
  publicKey: Uint8Array,
): Uint8Array {
  return crypto.hash('SHA_256', publicKeyBits(algorithm, publicKey)).slice(0, KEY_IDENTIFIER_SIZE);
}
