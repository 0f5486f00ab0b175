/** What `dump` is given besides the capture: secrets, key logs, and the identities that it does not show. */

import { type Command, InvalidArgumentError } from 'commander';
import { fromHex } from '../../protocols/codec/bytes.ts';
import { refusalText } from '../../protocols/codec/refusal.ts';
import type { KeyLogEntry } from '../../protocols/spdm/party.ts';
import { parseSubjectPublicKeyInfo } from '../../protocols/x509/spki.ts';
import { parseChain, splitChain } from '../../protocols/x509/split.ts';
import { readKeyLog } from '../sinks/key-log.ts';
import type { DumpSecrets } from './dump-read.ts';
import { type Io, UsageError } from './io.ts';

/** What commander makes of the options below. */
export interface SecretOptions {
  readonly dheSecret: readonly Uint8Array[];
  readonly kemSecret: readonly Uint8Array[];
  readonly psk: readonly Uint8Array[];
  readonly keylog?: string;
  readonly responderKey?: string;
  readonly requesterKey?: string;
  readonly responderChain?: string;
  readonly requesterChain?: string;
}

/** Collects a hexadecimal option that may be given several times. */
export function hexOption(text: string, before: readonly Uint8Array[]): readonly Uint8Array[] {
  try {
    const bytes = fromHex(text.replace(/^0x/i, ''));
    if (bytes.length > 0) return [...before, bytes];
  } catch {
    // said below
  }
  throw new InvalidArgumentError('expected hexadecimal bytes, as 00ff12');
}

export const addSecretOptions = (command: Command): Command =>
  command
    .option('--dhe-secret <HEX>', 'shared secret of a KEY_EXCHANGE; may be repeated', hexOption, [])
    .option('--kem-secret <HEX>', 'the same of a key exchange by KEM (SPDM 1.4)', hexOption, [])
    .option('--psk <HEX>', 'pre-shared key of a PSK_EXCHANGE; may be repeated', hexOption, [])
    .option('--keylog <FILE>', 'secrets as run, serve and attach keep them with --keylog')
    .option('--responder-key <FILE>', "the responder's provisioned public key (slot 0xff)")
    .option('--requester-key <FILE>', "the requester's")
    .option('--responder-chain <FILE>', "the responder's certificates, root first, if not fetched")
    .option('--requester-chain <FILE>', "the requester's; keys and certificates in PEM or DER");

function keyLogOf(file: string, io: Io): readonly KeyLogEntry[] {
  const { entries, fault } = readKeyLog(new TextDecoder().decode(io.readFile(file)));
  if (fault === undefined) return entries;
  throw new UsageError(`${file}, line ${fault.line}: ${fault.detail}`);
}

/** The DER of a file of one or more PEM blocks, concatenated; of any other file the bytes themselves. */
function derOf(bytes: Uint8Array, label: string): Uint8Array {
  const text = new TextDecoder('latin1').decode(bytes);
  const block = `-----BEGIN ${label}-----([\\sA-Za-z0-9+/=]*)-----END ${label}-----`;
  const blocks = [...text.matchAll(new RegExp(block, 'g'))];
  if (blocks.length === 0) return bytes;
  return new Uint8Array(Buffer.concat(blocks.map(([, base64]) => Buffer.from(base64!, 'base64'))));
}

export function publicKeyOf(file: string, io: Io): Uint8Array {
  const der = derOf(io.readFile(file), 'PUBLIC KEY');
  const key = parseSubjectPublicKeyInfo(der);
  if (key.ok) return der;
  throw new UsageError(`${file}: no public key in PEM or DER: ${refusalText(key)}`);
}

function chainOf(file: string, io: Io): readonly Uint8Array[] {
  const der = derOf(io.readFile(file), 'CERTIFICATE');
  const [split, parsed] = [splitChain(der), parseChain(der)];
  if (split.ok && parsed.ok) return split.value;
  const why = parsed.ok ? '' : `: ${refusalText(parsed)}`;
  throw new UsageError(`${file}: no certificates in PEM or DER${why}`);
}

/** Both sides' files, as far as they are named. */
function both<T>(
  responder: string | undefined,
  requester: string | undefined,
  read: (file: string) => T,
): { responder?: T; requester?: T } {
  return {
    ...(responder === undefined ? {} : { responder: read(responder) }),
    ...(requester === undefined ? {} : { requester: read(requester) }),
  };
}

/** @throws UsageError naming a file that is not what its option says */
export function readSecrets(options: SecretOptions, io: Io): DumpSecrets {
  const { dheSecret, kemSecret, psk, keylog } = options;
  const { responderKey, requesterKey, responderChain, requesterChain } = options;
  return {
    dheSecrets: [...dheSecret, ...kemSecret],
    psks: psk,
    keyLog: keylog === undefined ? [] : keyLogOf(keylog, io),
    publicKeys: both(responderKey, requesterKey, (file) => publicKeyOf(file, io)),
    chains: both(responderChain, requesterChain, (file) => chainOf(file, io)),
  };
}
