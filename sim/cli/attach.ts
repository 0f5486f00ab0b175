/** The verb `attach`: our requester against an external SPDM responder, and what it found there. */

import type { Command } from 'commander';
import type { KeyLogEntry } from '../../protocols/spdm/party.ts';
import { socketLink } from '../socket/attach-link.ts';
import { type AttachReport, findingsOf } from '../socket/attach-report.ts';
import { SocketClient, SocketError } from '../socket/client.ts';
import { engines as defaultEngines } from '../socket/default-engines.ts';
import { EngineRefusal, type Engines, type SpdmChoices } from '../socket/engines.ts';
import { socketTransports } from '../socket/transport.ts';
import { type AttachCommandOptions, addAttachOptions, readIdentities } from './attach-options.ts';
import { attachLines, verdictLine } from './attach-text.ts';
import { ExitCodes, type Io, UsageError } from './io.ts';
import { addSpdmOptions, choicesOf } from './spdm-options.ts';
import {
  addOwnOptions,
  decodeHints,
  hostOf,
  keyLogLine,
  openCapture,
  providers,
  randomOf,
} from './spdm-options-own.ts';

const MS_PER_S = 1000;

function makeFlow(
  io: Io,
  options: AttachCommandOptions,
  engines: Engines,
  choices: SpdmChoices,
  secrets: KeyLogEntry[],
) {
  const note = (step: string, outcome: string) => io.err(`${step}: ${outcome}\n`);
  try {
    return engines.attachFlow({
      crypto: providers[options.crypto],
      random: randomOf(options, 'requester'),
      transport: socketTransports[choices.transport ?? 'PCI_DOE'],
      choices,
      now: io.now(),
      ...readIdentities(io, options),
      keyLog: (entry) => secrets.push(entry),
      ...(options.functionId === undefined ? {} : { functionId: options.functionId }),
      ...(options.verbose === true ? { note } : {}),
    });
  } catch (error) {
    if (error instanceof EngineRefusal) throw new UsageError(error.message);
    throw error;
  }
}

async function talk(
  options: AttachCommandOptions,
  choices: SpdmChoices,
  flow: ReturnType<typeof makeFlow>,
  tap: ((payload: Uint8Array) => void) | undefined,
): Promise<AttachReport> {
  const client = await SocketClient.connect({
    host: hostOf(options),
    port: options.port,
    transport: socketTransports[choices.transport ?? 'PCI_DOE'],
    ...(options.timeout === undefined ? {} : { answerTimeoutMs: options.timeout * MS_PER_S }),
    ...(tap === undefined ? {} : { tap }),
  });
  try {
    return await flow(socketLink(client));
  } finally {
    await client.close(choices.exeMode ?? 'SHUTDOWN');
  }
}

function print(io: Io, options: AttachCommandOptions, report: AttachReport, target: string): void {
  if (options.json === true) {
    const document = {
      schema: 'tdisp-sim/attach@1',
      target,
      ...report,
      findings: findingsOf(report),
    };
    io.out(`${JSON.stringify(document)}\n`);
  } else if (options.quiet === true) io.out(`${verdictLine(report, target, io.colours)}\n`);
  else io.out(`${attachLines(report, target, io.colours).join('\n')}\n`);
  if (findingsOf(report).length > 0) io.setExitCode(ExitCodes.FINDINGS);
}

async function attach(options: AttachCommandOptions, io: Io, engines: Engines): Promise<void> {
  const choices = choicesOf(options as unknown as Record<string, unknown>, 'attach');
  const transport = choices.transport ?? 'PCI_DOE';
  const secrets: KeyLogEntry[] = [];
  const flow = makeFlow(io, options, engines, choices, secrets);
  if (options.keylog !== undefined) io.writeFile(options.keylog, '');
  const capture = openCapture(io, options.pcap, transport);
  const tap = capture === undefined ? undefined : (payload: Uint8Array) => capture.write(payload);
  let report: AttachReport;
  try {
    report = await talk(options, choices, flow, tap);
  } catch (error) {
    if (error instanceof SocketError) throw new UsageError(`${error.message} (${error.code})`);
    throw error;
  } finally {
    capture?.close();
    if (options.keylog !== undefined)
      io.writeFile(options.keylog, secrets.map(keyLogLine).join(''));
  }
  print(io, options, report, `${hostOf(options)}:${options.port}`);
  const silent = options.json === true || options.quiet === true;
  if (options.pcap !== undefined && !silent)
    io.out(
      `${['The capture is decoded by either of', ...decodeHints(options.pcap, secrets)].join('\n  ')}\n`,
    );
}

const EXAMPLES = `
Examples:
  tdisp-sim attach                                        spdm_responder_emu --trans PCI_DOE
  tdisp-sim attach --trans MCTP --port 2400 --exe_conn VCA --exe_session PSK
  tdisp-sim attach --cert-dir bin --exe_session KEY_EX,PSK,KEY_UPDATE,MEAS,APP
  tdisp-sim attach --root root.der --pcap a.pcap --keylog a.keys --json | jq '.findings'

Options and values are spelled as spdm_requester_emu spells them; dashes do as well as underscores. With
APP in --exe_session (the default) a stream is keyed and the TDI locked, started and stopped: nothing for a
device in use; over MCTP it asks for the PLDM terminus unless --function-id names a TDI. GET_CSR, SET_CERT
and SET_KEY_PAIR_INFO change the device and are done last, where they are named. Without --root and
--cert-dir any self-signed root passes: it is called unknown and its fingerprint is shown.
Exit codes: 0 no findings, 1 a step was refused or wrong, 2 usage or nobody there, 3 our own fault.`;

/** Registers the verb over given engines. */
export function registerAttach(program: Command, io: Io, engines: Engines): void {
  const command = program
    .command('attach')
    .summary('our requester against an external SPDM responder')
    .description('Negotiates, authenticates, measures, and tries IDE_KM and TDISP in a session.');
  addAttachOptions(addOwnOptions(command, 'where the responder listens; default loopback'));
  addSpdmOptions(command, 'attach')
    .addHelpText('after', EXAMPLES)
    .action((options: AttachCommandOptions) => attach(options, io, engines));
}

export const register = (program: Command, io: Io): void =>
  registerAttach(program, io, defaultEngines);
