/** The verb `run`: plays a scenario and tells what happened. It is the verb when none is given. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { type Command, Option } from 'commander';
import { toHex } from '../../protocols/codec/bytes.ts';
import { LocalError } from '../../protocols/codec/refusal.ts';
import { nobleProvider } from '../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import type { KeyLogEntry } from '../../protocols/spdm/party.ts';
import { formatTime } from '../kernel/index.ts';
import { type RunOptions, type RunSummary, ScenarioRun } from '../scenario/run.ts';
import { keyLogText } from '../sinks/key-log.ts';
import { RunFiles } from '../sinks/run-files.ts';
import { ExitCodes, type Io, UsageError } from './io.ts';
import { Narrator } from './narrator.ts';
import { readRunInput } from './run-input.ts';

interface RunCommandOptions {
  readonly seed?: string;
  readonly out?: string;
  readonly keylog?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly crypto: 'node' | 'noble';
}

const providers = { node: nodeProvider, noble: nobleProvider } as const;
const SLICE_EVENTS = 4000;
const PROGRESS_AFTER_MS = 1000;

const seedOf = (text: string): string | number => (/^-?\d{1,15}$/.test(text) ? Number(text) : text);

/** The JSON document. */
export function runJson(summary: RunSummary) {
  const { scenario, seed, traceHash, simTimePs, events, tdis, findings } = summary;
  const checkers = summary.checkers.map(({ name, looked, violations }) => ({
    name,
    looked,
    violations: violations.length,
  }));
  const schema = 'tdisp-sim/run@1';
  return { schema, scenario, seed, traceHash, simTimePs, events, tdis, checkers, findings };
}

/** Advances the run to its end; on a terminal a bar appears once it takes more than a second. */
function advance(run: ScenarioRun, io: Io, quiet: boolean): void {
  const began = performance.now();
  let bar: SingleBar | undefined;
  while (!run.advance(SLICE_EVENTS)) {
    const late = performance.now() - began > PROGRESS_AFTER_MS;
    if (bar === undefined && late && io.isTTY && !quiet) {
      const format =
        'simulating {bar} {percentage}% of the story, {simulated} simulated, {eta_formatted} left';
      bar = new SingleBar({ format, clearOnComplete: true, stream: process.stderr });
      bar.start(100, 0, { simulated: '' });
    }
    const { now } = run.platform.kernel;
    bar?.update(Math.floor(run.progress * 100), { simulated: formatTime(now) });
  }
  bar?.stop();
}

function printEnd(summary: RunSummary, io: Io): void {
  const { good, bad, bold, dim } = io.colours;
  const line = (text = '') => io.out(`${text}\n`);
  line();
  line(bold('What this run showed'));
  for (const { name, claim, looked, violations } of summary.checkers) {
    const verdict = violations.length === 0 ? good('held') : bad(`${violations.length} violations`);
    const looks = looked === 0 ? bad('never looked') : `looked ${looked} times`;
    line(`  ${verdict}  ${name.padEnd(20)} ${claim} ${dim(`(${looks})`)}`);
  }
  line();
  for (const { time, step, detail } of summary.findings)
    line(bad(`  finding at ${formatTime(time)}, ${step}: ${detail}`));
  const result =
    summary.findings.length === 0
      ? good('no findings')
      : bad(`${summary.findings.length} findings`);
  const time = formatTime(summary.simTimePs);
  line(
    `${summary.stepsPlayed} of ${summary.steps} steps, ${result}; ${time} simulated in ${summary.events} events`,
  );
  line(dim(`seed ${summary.seed}, trace hash ${summary.traceHash}`));
}

/** How this program was called: from a checkout there is no `tdisp-sim` on the path. */
const self = process.env['npm_lifecycle_event'] === 'start' ? 'npm start --' : 'tdisp-sim';

function printNext(io: Io, out: string | undefined): void {
  const lines = [
    [`${self} run --seed 2`, 'other keys and nonces, another trace hash'],
    ...(out === undefined
      ? [[`${self} run --out results`, 'keep the trace and a capture that dump and spdm_dump read']]
      : []),
    [
      `${self} run my-scenario.yaml`,
      'a copy of sim/scenario/library/default.yaml: change a latency,',
    ],
    ['', 'a step, an expectation, or tamper with a measurement'],
  ] as const;
  const width = Math.max(...lines.map(([command]) => command!.length)) + 3;
  io.out(`\n${io.colours.bold('What to try next')}\n`);
  for (const [command, what] of lines) io.out(`  ${command!.padEnd(width)}${what}\n`);
}

/** Says how to decode the capture, with the reference tool and with ours; kept beside it. */
function printCapture(
  io: Io,
  folder: string,
  secrets: readonly KeyLogEntry[],
  quiet: boolean,
): void {
  const pcap = join(folder, 'doe.pcap');
  const keys = secrets.map(({ secret }) => toHex(secret));
  const reference = keys.flatMap((key) => ['--dhe_secret', key]);
  const ours = keys.flatMap((key) => ['--dhe-secret', key]);
  const lines = [
    ['spdm_dump', '-r', pcap, ...reference, '-a', '-d'].join(' '),
    ['tdisp-sim', 'dump', pcap, ...ours].join(' '),
  ];
  writeFileSync(join(folder, 'decode.txt'), `${lines.join('\n')}\n`);
  if (quiet) return;
  io.out(
    `\nKept in ${folder}: trace.jsonl (its SHA-256 is the trace hash), doe.pcap, summary.json, decode.txt.\n`,
  );
  io.out('The capture is decoded, field by field, by either of\n');
  for (const line of lines) io.out(`  ${line.replace(/^tdisp-sim/, self)}\n`);
}

/** A machine that cannot be built is the scenario's mistake: regions that overlap, a BAR too small. */
function build(name: string, options: RunOptions): ScenarioRun {
  try {
    return new ScenarioRun(options);
  } catch (error) {
    if (!(error instanceof LocalError)) throw error;
    throw new UsageError(`${name}: the machine cannot be built: ${error.message}`);
  }
}

/** Makes the folder, and finds out early whether its files can be written. */
function openFiles(io: Io, folder: string): RunFiles {
  io.mkdir(folder);
  for (const file of ['trace.jsonl', 'doe.pcap']) io.writeFile(join(folder, file), '');
  return new RunFiles(folder);
}

function run(name: string, options: RunCommandOptions, io: Io): void {
  const { scenario, profile } = readRunInput(io, name);
  const silent = options.json === true || options.quiet === true;
  const lines: string[] = [];
  const narrator = new Narrator((line) => lines.push(line), io.colours);
  const files = options.out === undefined ? undefined : openFiles(io, options.out);
  const seed = options.seed === undefined ? scenario.seed : seedOf(options.seed);
  if (options.keylog !== undefined) io.writeFile(options.keylog, '');
  const simulation = build(name, {
    scenario,
    profile,
    crypto: providers[options.crypto],
    seed,
    onRecord: (record) => {
      files?.record(record);
      if (!silent) narrator.record(record);
    },
  });
  advance(simulation, io, silent);
  narrator.finish();
  files?.close();
  const summary = simulation.summary();
  const json = `${JSON.stringify(runJson(summary), null, 2)}\n`;
  if (options.out !== undefined) io.writeFile(join(options.out, 'summary.json'), json);
  if (summary.findings.length > 0) io.setExitCode(ExitCodes.FINDINGS);
  const { secrets } = simulation.platform;
  if (options.keylog !== undefined) io.writeFile(options.keylog, keyLogText(secrets));
  if (options.json === true) {
    if (options.out !== undefined) printCapture(io, options.out, secrets, true);
    io.out(json);
    return;
  }
  if (!silent)
    io.out(`${io.colours.bold(scenario.name)}  ${io.colours.dim(`${name}, seed ${seed}`)}\n`);
  if (!silent) io.out(`${lines.join('\n')}\n`);
  printEnd(summary, io);
  if (options.out !== undefined) printCapture(io, options.out, secrets, silent);
  if (!silent) printNext(io, options.out);
}

export function register(program: Command, io: Io): void {
  program
    .command('run', { isDefault: true })
    .description(
      'play a scenario from power-on to its last step; without arguments the shipped one',
    )
    .argument('[SCENARIO]', 'a scenario file, or the name of a shipped one', 'default')
    .option('--seed <N>', 'another seed than the scenario file names')
    .option('--out <DIR>', 'keep trace.jsonl, doe.pcap, summary.json and how to decode the capture')
    .option('--keylog <FILE>', "keep the sessions' secrets, for dump --keylog")
    .option('--json', 'one JSON document on standard output')
    .option('-q, --quiet', 'only what the run showed')
    .addOption(
      new Option('--crypto <PROVIDER>', 'who computes; the trace is the same')
        .choices(['node', 'noble'])
        .default('node'),
    )
    .addHelpText(
      'after',
      `
Examples:
  tdisp-sim                              the whole path, from power-on to encrypted DMA in RUN
  tdisp-sim run --seed 7 --out results   other keys; keep the trace and the capture
  tdisp-sim run lab.yaml --json          a scenario of your own, for a program to read

Exit codes: 0 good, 1 an expectation failed or an invariant was violated, 2 the scenario is wrong.`,
    )
    .action((name: string, options: RunCommandOptions) => run(name, options, io));
}
