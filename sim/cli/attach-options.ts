/** Options of `attach` alone: who the requester is, whom it believes, and how long it waits. */

import { createPublicKey } from 'node:crypto';
import type { Command } from 'commander';
import { refusalText } from '../../protocols/codec/refusal.ts';
import { pemToDer } from '../../protocols/x509/split.ts';
import type { AttachOptions, PresharedKey } from '../socket/engines.ts';
import { type Io, UsageError } from './io.ts';
import { readerOf } from './serve-files.ts';
import { numberOption, type OwnOptions, pskOption } from './spdm-options-own.ts';

export interface AttachCommandOptions extends OwnOptions {
  readonly root: readonly string[];
  readonly certDir?: string;
  readonly peerKey?: string;
  readonly psk: readonly PresharedKey[];
  readonly timeout?: number;
}

const PEM = '-----BEGIN ';
const TIMEOUT_MAX_S = 3600;

const collect = (value: string, all: readonly string[]): string[] => [...all, value];

export function addAttachOptions(command: Command): Command {
  return command
    .option('--root <FILE>', 'trusted root certificate, DER or PEM; may be repeated', collect, [])
    .option(
      '--cert-dir <DIR>',
      "keys and certificates in the emulators' layout (ecp384/ca.cert.der ...): trusted roots, the requester's chain and key, the responder's public key",
    )
    .option('--peer-key <FILE>', "the responder's public key, DER or PEM, for --slot_id 0xFF")
    .option(
      '--psk <HINT=HEX>',
      "pre-shared key, a PSK session each; default: the emulators' test key",
      pskOption,
      [],
    )
    .option(
      '--timeout <S>',
      'seconds to wait for an answer; default 30',
      numberOption('timeout', 1, TIMEOUT_MAX_S),
    );
}

const isPem = (text: string): boolean => text.startsWith(PEM);

/** Certificates of a file, DER or PEM. @throws UsageError */
function readRoots(io: Io, path: string): Uint8Array[] {
  const bytes = io.readFile(path);
  const text = new TextDecoder().decode(bytes);
  if (!isPem(text)) return [bytes];
  const ders = pemToDer(text);
  if (ders.ok) return [...ders.value];
  throw new UsageError(`--root ${path}: no PEM certificates: ${refusalText(ders)}`);
}

/** SubjectPublicKeyInfo of a file, DER or PEM. @throws UsageError */
function readPublicKey(io: Io, path: string): Uint8Array {
  const bytes = io.readFile(path);
  const text = new TextDecoder().decode(bytes);
  if (!isPem(text)) return bytes;
  try {
    return new Uint8Array(createPublicKey(text).export({ type: 'spki', format: 'der' }));
  } catch {
    throw new UsageError(`--peer-key ${path}: no PEM public key`);
  }
}

/** Seed of the requester's own chain: that of the run, so that a seed decides everything. */
export function readIdentities(
  io: Io,
  options: AttachCommandOptions,
): Pick<AttachOptions, 'roots' | 'files' | 'identitySeed' | 'psks' | 'peerKey'> {
  const { root, certDir, peerKey, psk, seed } = options;
  const files = readerOf(io, certDir === undefined ? {} : { certDir });
  return {
    roots: root.flatMap((path) => readRoots(io, path)),
    ...(files === undefined ? {} : { files }),
    ...(seed === undefined ? {} : { identitySeed: seed }),
    ...(psk.length === 0 ? {} : { psks: psk }),
    ...(peerKey === undefined ? {} : { peerKey: readPublicKey(io, peerKey) }),
  };
}
