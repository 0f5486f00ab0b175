/** A certificate chain in a few lines for people. */

import { toHex } from '../codec/bytes.ts';
import { cmaIdentityOf, deviceInfoOf } from './extensions.ts';
import { oidName } from './oids.ts';
import { type Certificate, isSelfIssued } from './parse.ts';
import { NO_EXPIRATION, timeText } from './time.ts';

// A name comes from the peer and may hold what a terminal would act on: control characters and the
// format characters that reorder text.
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu,
    (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`,
  );
}

function roleText(c: Certificate, isLast: boolean): string {
  const isCa = c.extensions.basicConstraints?.cA === true;
  if (isCa && isSelfIssued(c)) return 'root CA';
  if (isCa) return 'intermediate CA';
  return isLast ? 'leaf' : 'end entity above the leaf';
}

function keyText(c: Certificate): string {
  const { algorithm, curve, key } = c.publicKey;
  return curve ?? `${algorithm} (${key.length} bytes)`;
}

/** What marks the certificate among those of a device: device information, SPDM roles and identity. */
function deviceLines(c: Certificate): string[] {
  const info = deviceInfoOf(c.extensions);
  const cma = cmaIdentityOf(c.extensions);
  const { extKeyUsage, spdmOids } = c.extensions;
  const lines: string[] = [];
  if (info !== undefined) lines.push(`device   ${printable(info)}`);
  if (cma !== undefined) lines.push(`identity ${printable(cma)}`);
  if (extKeyUsage !== undefined) lines.push(`usage    ${extKeyUsage.map(oidName).join(', ')}`);
  if (spdmOids !== undefined) lines.push(`marks    ${spdmOids.map(oidName).join(', ')}`);
  return lines;
}

/** Lines about one certificate, the first one its subject. */
export function describeCertificate(c: Certificate, isLast: boolean): string[] {
  const until = c.notAfter === NO_EXPIRATION ? 'no expiration' : timeText(c.notAfter);
  return [
    `${roleText(c, isLast)}: ${printable(c.subject)}`,
    `issuer   ${isSelfIssued(c) ? 'itself' : printable(c.issuer)}`,
    `validity ${timeText(c.notBefore)} to ${until}`,
    `serial   ${toHex(c.serialNumber)}`,
    `key      ${keyText(c)}, signed with ${c.signature.algorithm}`,
    ...deviceLines(c),
  ];
}

/** Lines about a chain, root or first intermediate first, numbered and indented. */
export function describeChain(chain: readonly Certificate[]): string[] {
  return chain.flatMap((c, index) =>
    describeCertificate(c, index === chain.length - 1).map((line, i) =>
      i === 0 ? `[${index}] ${line}` : `    ${line}`,
    ),
  );
}
