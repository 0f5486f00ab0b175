/**
 * Certificate chains as evidence files hold them: PEM text, leaf first as TLS has it, or the SPDM chain
 * with its root hash (DSP0274 10.6). Both come out in DER, root first.
 *
 * PEM is read strictly, so that no two texts stand for one chain: each block in canonical base64 with
 * line feeds, with or without carriage returns, and nothing between the blocks.
 */

import { equal } from '../../protocols/codec/bytes.ts';
import { decode } from '../../protocols/codec/layout.ts';
import { refusalText } from '../../protocols/codec/refusal.ts';
import { type HashName, hashSizes } from '../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import type { Evidence } from '../../protocols/spdm/evidence/evidence.ts';
import { certChain } from '../../protocols/x509/spdm-chain.ts';
import { pemToDer, splitChain } from '../../protocols/x509/split.ts';

export type ChainPart = Pick<Evidence, 'certificates' | 'containerFault'>;

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

/** Certificates of an SPDM chain; which hash it was made with shows in its root hash. */
export function chainOfSpdm(crypto: CryptoProvider, blob: Uint8Array): ChainPart {
  for (const hash of Object.keys(hashSizes) as HashName[]) {
    const chain = decode(certChain, blob, { hashSize: hashSizes[hash] });
    if (!chain.ok) continue;
    const ders = splitChain(chain.value.Certificates);
    const root = ders.ok ? ders.value[0] : undefined;
    if (!ders.ok || root === undefined) continue;
    if (equal(crypto.hash(hash, root), chain.value.RootHash)) return { certificates: ders.value };
  }
  return fault('CHAIN_ROOT_HASH_MISMATCH', 'no SPDM chain that starts with the hash of its root');
}
