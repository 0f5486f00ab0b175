/**
 * Certificate chains as evidence files hold them: PEM text, leaf first as TLS has it, DER, or the SPDM chain
 * with its root hash (DSP0274 10.6), which is left as it is.
 *
 * PEM is read strictly, so that no two texts stand for one chain: each block in canonical base64 with
 * line feeds, with or without carriage returns, and nothing between the blocks.
 */

import { equal, readLE } from '../../protocols/codec/bytes.ts';
import { refusalText } from '../../protocols/codec/refusal.ts';
import type { Evidence } from '../../protocols/spdm/evidence/evidence.ts';
import { parseCertificates, pemToDer, splitChain } from '../../protocols/x509/split.ts';
import { plainBytes } from './evidence-bytes.ts';
import { type Io, UsageError } from './io.ts';

export type ChainPart = Pick<Evidence, 'certificates' | 'chain' | 'containerFault'>;

/** Length (two bytes, four in 1.4) and what is in between of an SPDM chain. */
const SPDM_CHAIN_HEADER = 4;
const isSpdmLength = (blob: Uint8Array): boolean =>
  blob.length === readLE(blob, 0, 2) || blob.length === readLE(blob, 0, 4);

const fault = (code: string, detail: string): ChainPart => ({
  certificates: [],
  containerFault: { code, detail },
});

const BLOCK = /-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)\n-----END CERTIFICATE-----/g;

/** What in the text is no part of a canonical block; undefined if nothing is. */
function looseText(text: string, ders: readonly Uint8Array[]): string | undefined {
  const plain = text.replaceAll('\r\n', '\n');
  const blocks = [...plain.matchAll(BLOCK)];
  if (blocks.length !== ders.length) return 'a block is not written as PEM';
  for (const [i, block] of blocks.entries())
    if (block[1]!.replaceAll('\n', '') !== Buffer.from(ders[i]!).toString('base64'))
      return `block ${i} is not canonical base64`;
  return plain.replace(BLOCK, '').replaceAll('\n', '') === '' ? undefined : 'text between blocks';
}

/** Certificates of PEM text whose first block is the leaf. */
export function chainOfPem(text: string): ChainPart {
  const ders = pemToDer(text);
  if (!ders.ok) return fault('CHAIN_BAD_ENCODING', refusalText(ders));
  const certificates = ders.value.toReversed();
  const loose = looseText(text, ders.value);
  if (loose === undefined) return { certificates };
  return { certificates, containerFault: { code: 'CHAIN_BAD_ENCODING', detail: `PEM: ${loose}` } };
}

/** Root first: turned round if each certificate stands below the one that issued it. */
function rootFirst(ders: readonly Uint8Array[]): readonly Uint8Array[] {
  const parsed = parseCertificates(ders);
  const [first, second] = parsed.ok ? parsed.value : [];
  if (first === undefined || second === undefined) return ders;
  const isRootFirst = equal(second.issuerDer, first.subjectDer);
  const isLeafFirst = equal(first.issuerDer, second.subjectDer);
  return isLeafFirst && !isRootFirst ? ders.toReversed() : ders;
}

/**
 * A chain of a file of its own: PEM, DER one after the other, either way round, or an SPDM chain; the latter
 * two as they are, in hexadecimal or in base64.
 */
export function readChainFile(io: Io, file: string): ChainPart {
  const bytes = io.readFile(file);
  const text = new TextDecoder('latin1').decode(bytes);
  if (text.includes('-----BEGIN ')) {
    const pem = pemToDer(text);
    if (pem.ok) return { certificates: rootFirst(pem.value) };
    throw new UsageError(`cannot read ${file}: no certificates in PEM: ${refusalText(pem)}`);
  }
  const plain = plainBytes(bytes);
  const ders = splitChain(plain);
  if (ders.ok) return { certificates: rootFirst(ders.value) };
  // What is wrong with an SPDM chain depends on the hash that was negotiated.
  if (plain.length > SPDM_CHAIN_HEADER && isSpdmLength(plain)) return { chain: plain };
  throw new UsageError(
    `cannot read ${file}: neither certificates in PEM or DER nor an SPDM chain: ${refusalText(ders)}`,
  );
}
