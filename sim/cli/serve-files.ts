/** Files and keys that `serve` takes besides the profile: the device's own ones, and what it knows of requesters. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { refusalText } from '../../protocols/codec/refusal.ts';
import { leafKeyOfPublicKeyInfo } from '../../protocols/spdm/leaf-key.ts';
import { parseChain, pemToDer } from '../../protocols/x509/split.ts';
import type { FileReader, KnownRequester } from '../socket/engines.ts';
import { type Io, UsageError } from './io.ts';

const PEM_START = 0x2d;

/** Certificates of a file, PEM or DER one after the other. @throws UsageError */
function readCertificates(io: Io, option: string, path: string): readonly Uint8Array[] {
  const bytes = io.readFile(path);
  const complain = (why: string): never => {
    throw new UsageError(`--${option} ${path}: no certificates: ${why}`);
  };
  if (bytes[0] === PEM_START) {
    const ders = pemToDer(new TextDecoder().decode(bytes));
    return ders.ok ? ders.value : complain(refusalText(ders));
  }
  const chain = parseChain(bytes);
  return chain.ok ? chain.value.map(({ der }) => der) : complain(refusalText(chain));
}

function readPublicKey(io: Io, path: string): Uint8Array {
  const bytes = io.readFile(path);
  if (leafKeyOfPublicKeyInfo(bytes) !== undefined) return bytes;
  throw new UsageError(`--peer-key ${path}: no SubjectPublicKeyInfo in DER`);
}

export interface FileOptions {
  readonly certDir?: string;
  readonly peerRoot: readonly string[];
  readonly peerChain: readonly string[];
  readonly peerKey: readonly string[];
}

/** What is known of requesters. @throws UsageError naming option and file */
export const readRequester = (io: Io, options: FileOptions): KnownRequester => ({
  roots: options.peerRoot.flatMap((path) => readCertificates(io, 'peer-root', path)),
  chains: options.peerChain.map((path) => readCertificates(io, 'peer-chain', path)),
  publicKeys: options.peerKey.map((path) => readPublicKey(io, path)),
});

/** Files below --cert-dir; undefined: it was not given. @throws UsageError if there is none */
export function readerOf(
  io: Io,
  { certDir }: Pick<FileOptions, 'certDir'>,
): FileReader | undefined {
  if (certDir === undefined) return undefined;
  if (!existsSync(certDir)) throw new UsageError(`--cert-dir ${certDir}: no such directory`);
  return (path) => {
    const full = join(certDir, path);
    return existsSync(full) ? io.readFile(full) : undefined;
  };
}
