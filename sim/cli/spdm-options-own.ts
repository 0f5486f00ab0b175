/** Options of `serve` and `attach` that are ours and not SPDM's: where, who computes, what is kept. */

import { randomBytes } from 'node:crypto';
import { type Command, Option } from 'commander';
import { ascii, concat, fromHex, toHex } from '../../protocols/codec/bytes.ts';
import { LocalError } from '../../protocols/codec/refusal.ts';
import { nobleProvider } from '../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import type { KeyLogEntry } from '../../protocols/spdm/party.ts';
import { Random } from '../kernel/index.ts';
import { SocketCapture } from '../socket/capture.ts';
import type { PresharedKey } from '../socket/engines.ts';
import type { SocketTransportName } from '../socket/transport.ts';
import { type Io, UsageError } from './io.ts';

export const PORT_DEFAULT = 2323;
export const HOST_DEFAULT = '127.0.0.1';

/** What commander makes of the options below. */
export interface OwnOptions {
  readonly host?: string;
  readonly ip?: string;
  readonly port: number;
  readonly crypto: 'node' | 'noble';
  readonly seed?: string;
  readonly functionId?: number;
  readonly pcap?: string;
  readonly keylog?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

export const providers = { node: nodeProvider, noble: nobleProvider } as const;

/** A reader of numbers for commander. @throws UsageError naming the option and its bounds */
export function numberOption(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new UsageError(`--${name}: '${text}' is no number in ${min}..${max}`);
  };
}

/** Underscores as the emulators write, dashes as everybody else: both name our two-word options. */
export function addOwnOptions(command: Command, where: string): Command {
  return command
    .option('--host <HOST>', where, undefined)
    .addOption(new Option('--ip <HOST>').hideHelp())
    .option('--port <N>', 'TCP port', numberOption('port', 0, 0xffff), PORT_DEFAULT)
    .option(
      '--function-id <N>',
      'FUNCTION_ID of the TDI: bus 15:8, device 7:3, function 2:0',
      numberOption('function-id', 0, 0xffff),
    )
    .option('--pcap <FILE>', 'keep what passes, for spdm_dump and tdisp-sim dump')
    .option('--keylog <FILE>', "keep the sessions' secrets, for whoever decodes the capture")
    .addOption(
      new Option('--crypto <PROVIDER>', 'who computes').choices(['node', 'noble']).default('node'),
    )
    .option('--seed <N>', 'draw nonces and session keys from this seed: the run repeats')
    .option('--json', 'one JSON document on standard output')
    .option('-q, --quiet', 'only what matters in the end')
    .option('-v, --verbose', 'a line for each message or step');
}

/** @throws UsageError if --host and --ip differ */
export function hostOf({ host, ip }: OwnOptions): string {
  if (host !== undefined && ip !== undefined && host !== ip)
    throw new UsageError('--ip is another name of --host; give one');
  return host ?? ip ?? HOST_DEFAULT;
}

/** The system's entropy, or a stream drawn from the seed. */
export function randomOf({ seed }: OwnOptions, role: string): (size: number) => Uint8Array {
  if (seed === undefined) return (size) => new Uint8Array(randomBytes(size));
  const stream = Random.fromSeed(seed).split(role);
  return (size) => stream.bytes(size);
}

/** @throws UsageError if the file cannot be made, or the transport has no link type */
export function openCapture(
  io: Io,
  path: string | undefined,
  transport: SocketTransportName,
): SocketCapture | undefined {
  if (path === undefined) return undefined;
  // Complains in one line if it cannot be written.
  io.writeFile(path, '');
  try {
    return new SocketCapture(path, transport);
  } catch (error) {
    if (error instanceof LocalError)
      throw new UsageError(`--pcap: no link type stands for --trans ${transport}; leave it out`);
    throw error;
  }
}

export const PSK_HELP = "pre-shared key for PSK sessions, beside the emulators' test key";
const HEX = /^(?:[0-9a-f]{2})+$/i;

/**
 * `HINT=HEX`, collected: the hint as text, with the terminating zero that the emulators count, or `0x...`
 * as it is.
 */
export function pskOption(text: string, all: readonly PresharedKey[]): PresharedKey[] {
  const at = text.lastIndexOf('=');
  const [hint, key] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 0 || !HEX.test(key))
    throw new UsageError(`--psk '${text}': give HINT=HEX, the key in hexadecimal`);
  if (!hint.startsWith('0x'))
    return [...all, { hint: concat(ascii(hint), Uint8Array.of(0)), key: fromHex(key) }];
  if (!HEX.test(hint.slice(2)))
    throw new UsageError(`--psk '${text}': after 0x the hint is hexadecimal`);
  return [...all, { hint: fromHex(hint.slice(2)), key: fromHex(key) }];
}

export { keyLogLine } from '../sinks/key-log.ts';

/** How to read a capture, with the reference's tool and with ours. */
export function decodeHints(path: string, secrets: readonly KeyLogEntry[]): string[] {
  const theirs = secrets.flatMap(({ kind, secret }) => [
    `--${kind.toLowerCase()}_secret`.replace('psk_secret', 'psk'),
    toHex(secret),
  ]);
  const ours = secrets.flatMap(({ kind, secret }) => [
    `--${kind.toLowerCase()}-secret`.replace('psk-secret', 'psk'),
    toHex(secret),
  ]);
  return [
    ['spdm_dump', '-r', path, ...theirs, '-a', '-d'].join(' '),
    ['tdisp-sim', 'dump', path, ...ours].join(' '),
  ];
}
