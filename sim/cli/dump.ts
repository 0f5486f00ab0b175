/** The verb `dump`: decodes and decrypts a capture of SPDM traffic, ours or anybody's. */

import type { Command } from 'commander';
import type { DescribedField } from '../../protocols/codec/describe.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import type { CarriedMessage } from '../../protocols/spdm/observer/observer.ts';
import { readPcap } from '../sinks/pcap.ts';
import { type Dump, type DumpMessage, hasFindings, readDump } from './dump-read.ts';
import { addSecretOptions, readSecrets, type SecretOptions } from './dump-secrets.ts';
import { dumpLines, sealedLines, totalsLine } from './dump-text.ts';
import { ExitCodes, type Io, UsageError } from './io.ts';

interface DumpOptions extends SecretOptions {
  readonly json?: boolean;
  readonly fields?: boolean;
  readonly hex?: boolean;
  readonly quiet?: boolean;
}

const fieldJson = ({ path, offset, size, text }: DescribedField) => ({ path, offset, size, text });

function carriedJson({ how, message }: CarriedMessage): unknown {
  const { name, version, code, vendor, carried } = message;
  return {
    how,
    name,
    version,
    code,
    fields: message.fields.map(fieldJson),
    ...(vendor === undefined
      ? {}
      : {
          vendor: {
            protocol: vendor.protocol,
            name: vendor.name,
            fields: vendor.fields.map(fieldJson),
          },
        }),
    ...(carried === undefined ? {} : { carried: carriedJson(carried) }),
  };
}

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
    ...(message.chunk === undefined ? {} : { chunk: message.chunk }),
    ...(message.carried === undefined ? {} : { carried: carriedJson(message.carried) }),
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
  for (const line of sealedLines(dump.sealed)) io.out(`${line}\n`);
  io.out(`${totalsLine(dump.totals, colours)}\n`);
}

function dumpFile(file: string, options: DumpOptions, io: Io): void {
  const pcap = readPcap(io.readFile(file));
  const secrets = readSecrets(options, io);
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
  tdisp-sim dump doe.pcap --keylog keys.txt
  tdisp-sim dump doe.pcap --psk 5465737450736b4461746100 --fields
  tdisp-sim dump doe.pcap --json | jq '.totals'

Secrets may be given in any order: a handshake's own HMAC tells which one is its. A key log has lines as
SPDM_DHE ffffffff 07c7d240... (also SPDM_KEM, SPDM_PSK). Link types 292 (PCI_DOE) and 291 (MCTP).
Exit code 1 if a message could not be decoded or decrypted, or a signature or HMAC is wrong.`;

export function register(program: Command, io: Io): void {
  const command = program
    .command('dump')
    .summary('decode and decrypt a capture of SPDM traffic')
    .description('Names, decodes, decrypts and checks every message of a capture.')
    .argument('<FILE.pcap>', 'classic pcap of link type 292 (PCI_DOE) or 291 (MCTP)');
  addSecretOptions(command)
    .option('--fields', 'print every field of every message')
    .option('--hex', 'print the bytes of every message')
    .option('--json', 'print one JSON document')
    .option('--quiet', 'print the totals only')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: DumpOptions) => dumpFile(file, options, io));
}
