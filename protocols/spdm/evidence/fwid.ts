/**
 * Firmware identifiers in a leaf certificate (extension tcg-dice-TcbInfo): the digest of the firmware
 * that the certified key belongs to. Two forms are met: TCG's DiceTcbInfo with its fwids field, and the
 * older CompositeDeviceID { version, deviceID, fwid }, which NVIDIA's devices carry under the same OID.
 */

import { attempt, children, contentOf, type Element, readStrict, Tags } from '../../x509/der.ts';
import { DiceOids } from '../../x509/oids.ts';
import type { Certificate } from '../../x509/parse.ts';

/** fwids [6] IMPLICIT SEQUENCE OF FWID (TCG DICE Attestation Architecture 6.1.1) */
const FWIDS = 0xa6;
const PATH = 'tcg-dice-TcbInfo';

/** FWID ::= SEQUENCE { hashAlg OBJECT IDENTIFIER, digest OCTET STRING } */
function digestOf(element: Element): Uint8Array | undefined {
  if (element.tag !== Tags.SEQUENCE) return undefined;
  const [algorithm, digest, ...more] = children(element, PATH);
  if (algorithm?.tag !== Tags.OBJECT_IDENTIFIER || digest?.tag !== Tags.OCTET_STRING)
    return undefined;
  return more.length === 0 ? contentOf(digest) : undefined;
}

function digestsIn(value: Uint8Array): Uint8Array[] {
  const parts = children(readStrict(value, PATH), PATH);
  const list = parts.find(({ tag }) => tag === FWIDS);
  const candidates = list === undefined ? parts : children(list, PATH);
  return candidates.map(digestOf).filter((digest) => digest !== undefined);
}

/** Digests of the firmware a certificate speaks for; none if it names none or not in a known form. */
export function firmwareIds(certificate: Certificate): Uint8Array[] {
  return certificate.extensions.all
    .filter(({ extnID }) => extnID === DiceOids.TCB_INFO)
    .flatMap(({ extnValue }) => {
      const digests = attempt(extnValue.length, () => digestsIn(extnValue));
      return digests.ok ? digests.value : [];
    });
}
