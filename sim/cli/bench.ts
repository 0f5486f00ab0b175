/** The verb `bench`: benchmarks with their peers, timed side by side in one run. */

import { cpus } from 'node:os';
import { SingleBar } from 'cli-progress';
import { type Command, InvalidArgumentError } from 'commander';
import type { Benchmark, CaseChoice } from '../../bench/frame/benchmark.ts';
import { PeerCommandError, peerCommand } from '../../bench/frame/peer-command.ts';
import { type CaseResult, caseLines, runCase } from '../../bench/frame/result.ts';
import { benchmarks as allBenchmarks } from '../../bench/index.ts';
import { type Io, UsageError } from './io.ts';

interface BenchOptions {
  /** seconds for each case */
  readonly time: number;
  readonly only?: string;
  readonly all?: boolean;
  readonly peerCommand?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const DEFAULT_SECONDS = 3;
const SECONDS_MAX = 3600;

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds > 0 && seconds <= SECONDS_MAX))
    throw new InvalidArgumentError(`a number of seconds up to ${SECONDS_MAX}.`);
  return seconds;
}

function chosen(names: readonly string[], known: readonly Benchmark[]): readonly Benchmark[] {
  for (const name of names)
    if (!known.some((benchmark) => benchmark.name === name))
      throw new UsageError(
        `unknown benchmark '${name}'; there are ${known.map((one) => one.name).join(', ')}`,
      );
  return names.length === 0 ? known : known.filter(({ name }) => names.includes(name));
}

function chosenCases({ cases, name }: Benchmark, { all, only }: BenchOptions): CaseChoice[] {
  const found = cases.filter((one) =>
    only === undefined
      ? all === true || one.extra !== true
      : one.name.toLowerCase().includes(only.toLowerCase()),
  );
  if (found.length > 0) return found;
  const names = cases.map((one) => one.name).join(', ');
  throw new UsageError(`no case of ${name} has '${only}' in its name; there are ${names}`);
}

function timeCase(
  { unit }: Benchmark,
  choice: CaseChoice,
  options: BenchOptions,
  io: Io,
): CaseResult {
  const external = options.peerCommand;
  const externals = external === undefined ? [] : [peerCommand(external, choice.name, unit)];
  const draws = io.isTTY && options.quiet !== true;
  const format = `${choice.name} {bar} {percentage}%`;
  const bar = draws
    ? new SingleBar({ format, clearOnComplete: true, stream: process.stderr })
    : undefined;
  bar?.start(100, 0);
  try {
    return runCase(choice.prepare(), externals, {
      budgetMs: options.time * 1000,
      onProgress: (done) => bar?.update(Math.floor(100 * done)),
    });
  } catch (error) {
    if (error instanceof PeerCommandError) throw new UsageError(error.message);
    throw error;
  } finally {
    bar?.stop();
  }
}

const machine = () => ({
  node: process.version,
  openssl: process.versions.openssl ?? null,
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
});

const caseJson = ({ name, rows }: CaseResult) => ({
  name,
  rows: rows.map((row) => ({
    ...row,
    ratios: Object.fromEntries(row.ratios.map(({ peer, ratio }) => [peer, ratio])),
  })),
});

function bench(
  names: readonly string[],
  options: BenchOptions,
  known: readonly Benchmark[],
  io: Io,
): void {
  const { bold, dim } = io.colours;
  const plans = chosen(names, known).map((benchmark) => ({
    benchmark,
    cases: chosenCases(benchmark, options),
  }));
  const { node, openssl, cpu, cores } = machine();
  const tells = options.json !== true && options.quiet !== true;
  if (tells) io.out(dim(`node ${node}, OpenSSL ${openssl}, ${cpu}, ${cores} cores\n`));
  const documents = plans.map(({ benchmark, cases }) => {
    const { name, summary, unit } = benchmark;
    if (tells) {
      io.out(`${bold(name)}: ${summary}\n`);
      if (options.peerCommand === undefined)
        io.out(dim('no other implementation to compare with: name one with --peer-command\n'));
    }
    const results = cases.map((choice) => {
      const result = timeCase(benchmark, choice, options, io);
      if (options.json !== true) io.out(`\n${caseLines(result, unit).join('\n')}\n`);
      return caseJson(result);
    });
    return { name, unit, cases: results };
  });
  if (options.json === true) {
    const peer = options.peerCommand ?? null;
    const document = { schema: 'tdisp-sim/bench@1', machine: machine(), peerCommand: peer };
    io.out(`${JSON.stringify({ ...document, benchmarks: documents })}\n`);
  }
}

const EXAMPLES = `
Examples:
  tdisp-sim bench handshake
  tdisp-sim bench handshake --only P-384 --time 10
  tdisp-sim bench handshake --only P-256 --peer-command './their-pair "{case}"'

A ratio is how many times as quick as the peer: the median over rounds in which both were timed. Compare
ratios, not rates: machines drift. A peer command is run by the shell several times among the rounds, with
{case} replaced by the case's name; the last 'N sessions/s' or 'sessions/s: N' (the benchmark's own unit)
it prints is its figure.`;

/** The verb over a list of benchmarks. */
export const registerOver =
  (known: readonly Benchmark[]) =>
  (program: Command, io: Io): void => {
    const list = known.map(({ name, summary }) => `  ${name}: ${summary}`).join('\n');
    program
      .command('bench')
      .summary('time this program against its peers')
      .description(`Times benchmarks against their peers in one run:\n${list}`)
      .argument('[NAME...]', 'benchmarks; default all')
      .option('--time <SECONDS>', 'measuring time for each case', parseSeconds, DEFAULT_SECONDS)
      .option('--only <TEXT>', 'the cases that have this in their names')
      .option('--all', 'also the slow cases, and those of interest to few')
      .option('--peer-command <CMD>', 'another implementation that prints its own rate')
      .option('--json', 'print one JSON document')
      .option('--quiet', 'print the tables only')
      .addHelpText('after', EXAMPLES)
      .action((names: string[], options: BenchOptions) => bench(names, options, known, io));
  };

export const register = registerOver(allBenchmarks);
