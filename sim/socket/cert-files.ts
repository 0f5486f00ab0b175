/**
 * Chains and keys of a device, and what it knows of requesters, out of a directory laid out as the DMTF
 * emulators have theirs: a folder for each algorithm, the same files in each.
 */

import { type Refusal, refusalText } from '../../protocols/codec/refusal.ts';
import type { SignatureName } from '../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import { pkcs8PrivateKey, type SigningKey } from '../../protocols/x509/pkcs8.ts';
import { parseChain } from '../../protocols/x509/split.ts';
import { folderOf } from './attach-identity.ts';
import { EngineRefusal, type FileReader, type ProvisionedSlot } from './engines.ts';

/** By slot: its chain, and the key of the last certificate; the first file that is there counts. */
const slotFiles: readonly { slot: number; chain: string; keys: readonly string[] }[] = [
  {
    slot: 0,
    chain: 'bundle_responder.certchain.der',
    keys: ['end_responder.key.der', 'end_responder.key'],
  },
  {
    slot: 1,
    chain: 'bundle_responder.certchain1.der',
    keys: ['end_responder.key.der', 'end_responder.key'],
  },
  {
    slot: 4,
    chain: 'bundle_responder.certchain4.der',
    keys: ['end_responder4.key.der', 'end_responder4.key'],
  },
];
const PEM_KEY = /-----BEGIN ((?:EC |RSA )?PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----/;

const unusable = (path: string, refusal: Refusal): EngineRefusal =>
  new EngineRefusal(`--cert-dir: ${path}: ${refusalText(refusal)}`);

/** A private key as DER, be it PEM. */
function derOf(bytes: Uint8Array): Uint8Array {
  const block = PEM_KEY.exec(new TextDecoder('latin1').decode(bytes))?.[2];
  return block === undefined ? bytes : new Uint8Array(Buffer.from(block, 'base64'));
}

function keyOf(
  crypto: CryptoProvider,
  files: FileReader,
  paths: readonly string[],
  name: SignatureName,
): SigningKey | undefined {
  for (const path of paths) {
    const bytes = files(path);
    if (bytes === undefined) continue;
    const key = pkcs8PrivateKey(crypto, derOf(bytes), name);
    if (!key.ok) throw unusable(path, key);
    return key.value;
  }
  return undefined;
}

/** Whether a directory has a chain for the algorithm. */
export const hasChain = (files: FileReader, name: SignatureName): boolean =>
  files(`${folderOf(name)}/${slotFiles[0]!.chain}`) !== undefined;

/** The slots a directory has for an algorithm. @throws EngineRefusal on broken files */
export function slotsOf(
  crypto: CryptoProvider,
  files: FileReader,
  name: SignatureName,
): readonly ProvisionedSlot[] {
  const folder = folderOf(name);
  return slotFiles.flatMap(({ slot, chain, keys }) => {
    const path = `${folder}/${chain}`;
    const bytes = files(path);
    if (bytes === undefined) return [];
    const certificates = parseChain(bytes);
    if (!certificates.ok) throw unusable(path, certificates);
    const key = keyOf(
      crypto,
      files,
      keys.map((file) => `${folder}/${file}`),
      name,
    );
    return key === undefined
      ? []
      : [{ slot, key, certificates: certificates.value.map(({ der }) => der) }];
  });
}
