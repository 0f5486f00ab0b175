/** The verb `dump`: decodes and decrypts a capture of SPDM traffic, ours or anybody's. */

import { type Command, InvalidArgumentError } from 'commander';
import { fromHex } from '../../protocols/codec/bytes.ts';
import type { DescribedField } from '../../protocols/codec/describe.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import { readPcap } from '../sinks/pcap.ts';
import { type Dump, type DumpMessage, hasFindings, readDump } from './dump-read.ts';
import { dumpLines, totalsLine } from './dump-text.ts';
import { ExitCodes, type Io, UsageError } from './io.ts';

interface DumpOptions {
  readonly dheSecret: readonly Uint8Array[];
  readonly psk: readonly Uint8Array[];
  readonly json?: boolean;
  readonly fields?: boolean;
  readonly hex?: boolean;
  readonly quiet?: boolean;
}

/** Collects a hexadecimal option that may be given several times. */
function hexOption(text: string, before: readonly Uint8Array[]): readonly Uint8Array[] {
  try {
    const bytes = fromHex(text.replace(/^0x/i, ''));
    if (bytes.length > 0) return [...before, bytes];
  } catch {
    // said below
  }
  throw new InvalidArgumentError('expected hexadecimal bytes, as 00ff12');
}

const fieldJson = ({ path, offset, size, text }: DescribedField) => ({ path, offset, size, text });

function messageJson(message: DumpMessage) {
  const { index, layer, secured, sessionId, name, version, code, vendor } = message;
  return {
    index,
    layer,
    secured,
    name,
    version: version ?? null,
    code: code ?? null,
    fields: message.fields.map(fieldJson),
    time: { seconds: message.seconds, nanoseconds: message.nanoseconds },
    direction: message.direction ?? null,
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(vendor === undefined
      ? {}
      : { vendor: { ...vendor, fields: vendor.fields.map(fieldJson) } }),
    ...(message.checks.length === 0 ? {} : { checks: message.checks }),
    ...(message.undecrypted ? { undecrypted: true } : {}),
    ...(message.refusal === undefined ? {} : { refusal: message.refusal }),
  };
}

/** The JSON document; `version` and `code` are the SPDM bytes, null where there are none. */
export function dumpJson(dump: Dump): unknown {
  return {
    schema: 'tdisp-sim/dump@1',
    messages: dump.messages.map(messageJson),
    totals: dump.totals,
    ...(dump.fault === undefined ? {} : { fault: dump.fault }),
  };
}

function printText(dump: Dump, options: DumpOptions, io: Io): void {
  const { colours } = io;
  if (options.quiet !== true) {
    const { fields = false, hex = false } = options;
    for (const line of dumpLines(dump, { fields, hex, colours })) io.out(`${line}\n`);
  }
  if (dump.unfinished > 0)
    io.out(`${dump.unfinished} messages came in pieces and never to their end\n`);
  io.out(`${totalsLine(dump.totals, colours)}\n`);
}

function dumpFile(file: string, options: DumpOptions, io: Io): void {
  const pcap = readPcap(io.readFile(file));
  const secrets = { dheSecrets: options.dheSecret, psks: options.psk };
  const dump = readDump(pcap, file, nodeProvider, secrets);
  if (pcap.header === undefined) throw new UsageError(`cannot decode ${file}: ${dump.fault}`);
  if (options.json === true) io.out(`${JSON.stringify(dumpJson(dump))}\n`);
  else printText(dump, options, io);
  if (hasFindings(dump.totals)) io.setExitCode(ExitCodes.FINDINGS);
  if (dump.fault !== undefined)
    throw new UsageError(
      `${file} is cut or damaged: ${dump.fault}; what was read before it is shown`,
    );
}

const EXAMPLES = `
Examples:
  tdisp-sim dump doe.pcap
  tdisp-sim dump doe.pcap --dhe-secret 07c7d240... --dhe-secret e50b7f75...
  tdisp-sim dump doe.pcap --psk 5465737450736b4461746100 --fields
  tdisp-sim dump doe.pcap --json | jq '.totals'

Secrets may be given in any order: a handshake's own HMAC tells which one is its. Link types 292 (PCI_DOE)
and 291 (MCTP). Exit code 1 if a message could not be decoded or decrypted, or a signature or HMAC is wrong.`;

export function register(program: Command, io: Io): void {
  program
    .command('dump')
    .summary('decode and decrypt a capture of SPDM traffic')
    .description('Names, decodes, decrypts and checks every message of a capture.')
    .argument('<FILE.pcap>', 'classic pcap of link type 292 (PCI_DOE) or 291 (MCTP)')
    .option('--dhe-secret <HEX>', 'shared secret of a KEY_EXCHANGE; may be repeated', hexOption, [])
    .option('--psk <HEX>', 'pre-shared key of a PSK_EXCHANGE; may be repeated', hexOption, [])
    .option('--fields', 'print every field of every message')
    .option('--hex', 'print the bytes of every message')
    .option('--json', 'print one JSON document')
    .option('--quiet', 'print the totals only')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: DumpOptions) => dumpFile(file, options, io));
}
