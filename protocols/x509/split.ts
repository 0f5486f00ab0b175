/**
 * Certificates out of a container: the concatenated DER of an SPDM chain (DSP0274 certificate chain
 * format) and PEM text (RFC 7468).
 */

import { type Decoded, RefusalCodes, refuse } from '../codec/refusal.ts';
import { attempt, expectTag, fault, readElement, Tags } from './der.ts';
import { CERTIFICATE_BYTES_MAX, type Certificate, parseCertificate } from './parse.ts';

/** Most certificates in one chain; device chains have three to six. */
export const CHAIN_CERTIFICATES_MAX = 16;

/** The certificates that `bytes` is a concatenation of, still encoded; at least one. */
export function splitChain(bytes: Uint8Array): Decoded<Uint8Array[]> {
  return attempt(bytes.length, () => {
    const out: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const path = `[${out.length}]`;
      if (out.length >= CHAIN_CERTIFICATES_MAX)
        throw fault(
          RefusalCodes.OVER_LIMIT,
          path,
          at,
          `more than ${CHAIN_CERTIFICATES_MAX} certificates`,
        );
      const element = readElement(bytes, at, bytes.length, path);
      expectTag(element, Tags.SEQUENCE, path, element);
      if (element.end - at > CERTIFICATE_BYTES_MAX)
        throw fault(RefusalCodes.OVER_LIMIT, path, at, `${element.end - at} bytes`);
      out.push(new Uint8Array(bytes.subarray(at, element.end)));
      at = element.end;
    }
    if (out.length === 0) throw fault(RefusalCodes.TRUNCATED, '', 0, 'no certificate');
    return out;
  });
}

/** Parses each of `ders`; a refusal's path starts with the certificate's index. */
export function parseCertificates(ders: readonly Uint8Array[]): Decoded<Certificate[]> {
  const out: Certificate[] = [];
  let size = 0;
  for (const [index, der] of ders.entries()) {
    const parsed = parseCertificate(der);
    if (!parsed.ok)
      return {
        ...parsed,
        path: parsed.path === '' ? `[${index}]` : `[${index}].${parsed.path}`,
        offset: size + parsed.offset,
      };
    size += der.length;
    out.push(parsed.value);
  }
  return { ok: true, value: out, size };
}

/** `splitChain` and `parseCertificates`: concatenated DER, in the order it stands. */
export function parseChain(bytes: Uint8Array): Decoded<Certificate[]> {
  const split = splitChain(bytes);
  return split.ok ? parseCertificates(split.value) : split;
}

const PEM_BEGIN = '-----BEGIN CERTIFICATE-----';
const PEM_END = '-----END CERTIFICATE-----';

function fromBase64(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s/g, '');
  if (digits.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(digits)) return undefined;
  return Uint8Array.from(atob(digits), (c) => c.charCodeAt(0));
}

/**
 * The certificates of PEM text in their order, still encoded; text around the blocks is skipped.
 * Refuses text without a certificate, an open block and bad base64. Offsets count characters.
 */
export function pemToDer(text: string): Decoded<Uint8Array[]> {
  const out: Uint8Array[] = [];
  let at = text.indexOf(PEM_BEGIN);
  for (; at >= 0; at = text.indexOf(PEM_BEGIN, at)) {
    const path = `[${out.length}]`;
    if (out.length >= CHAIN_CERTIFICATES_MAX)
      return refuse(RefusalCodes.OVER_LIMIT, path, at, 'too many certificates');
    const from = at + PEM_BEGIN.length;
    const to = text.indexOf(PEM_END, from);
    if (to < 0) return refuse(RefusalCodes.TRUNCATED, path, at, 'no END CERTIFICATE');
    const der = fromBase64(text.slice(from, to));
    if (der === undefined) return refuse(RefusalCodes.BAD_VALUE, path, from, 'no base64');
    out.push(der);
    at = to + PEM_END.length;
  }
  if (out.length === 0) return refuse(RefusalCodes.TRUNCATED, '', 0, 'no BEGIN CERTIFICATE');
  return { ok: true, value: out, size: text.length };
}
