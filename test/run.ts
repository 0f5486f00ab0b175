/**
 * Test runner: every `*.test.ts` below the root in a process of its own, a few at a time. uvu ends with
 * code 0 in several ways that are no success (nothing registered, a hook that threw, a promise that
 * never settles, an early exit), so a file passes only if its summary is there and adds up. The last
 * line printed is `N passed, N failed`, with `, N skipped` where something was.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';

const HELP = `Usage: tsx test/run.ts [options] [pattern...]

Runs the test files whose path contains one of the patterns; without a pattern, all of them.

  --root DIR     folder searched for *.test.ts (default: the folder of this program)
  --limit SEC    time limit for one file (default: TEST_LIMIT_S or 120)
  --jobs N       files at a time (default: TEST_JOBS or the number of cores)
  --list         print the files and run nothing
  --help         this text

A test that cannot run here is declared with test.skip and prints a line 'SKIP: why'.
Exit code: 0 all good, 1 a failure, 2 wrong usage.
`;
const OUTPUT_CHARS_MAX = 1 << 20;
const SHOWN_CHARS_MAX = 30_000;
const SLOWEST_SHOWN = 5;
const SLOW_MS_MIN = 1000;
// uvu leaves its line open while a suite runs: ` name  • • SKIP: why`.
const SKIP_LINE = /^(?: .*? {2})?(?:[•✘] )*(SKIP:.*)$/;

interface Options {
  readonly root: string;
  readonly limitS: number;
  readonly jobs: number;
  readonly list: boolean;
  readonly patterns: readonly string[];
}

/** How a test file's process ended. */
interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  readonly output: string;
  readonly skipLines: readonly string[];
  readonly ms: number;
}

interface Verdict {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly ms: number;
  readonly skipLines: readonly string[];
  readonly output: string;
  /** why the file failed; undefined if it did not */
  readonly reason?: string;
}

class UsageError extends Error {}

function positive(text: string, name: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new UsageError(`${name}: expected a number above 0, got ${text}`);
  return value;
}

function parse(): Options | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      root: { type: 'string', default: import.meta.dirname },
      limit: { type: 'string', default: process.env['TEST_LIMIT_S'] ?? '120' },
      jobs: { type: 'string', default: process.env['TEST_JOBS'] ?? `${availableParallelism()}` },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const root = resolve(values.root);
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`--root: no folder ${values.root}`);
  return {
    root,
    limitS: positive(values.limit, '--limit'),
    jobs: Math.ceil(positive(values.jobs, '--jobs')),
    list: values.list,
    patterns: positionals,
  };
}

/** Path for people: relative to the root, with forward slashes. */
function shortName(root: string, file: string): string {
  return relative(root, file).split(sep).join('/');
}

/** The files to run, sorted, and the patterns that name none of them. */
function select(options: Options): { files: string[]; unmatched: string[] } {
  const all = readdirSync(options.root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.split(sep).includes('node_modules'))
    .map((name) => resolve(options.root, name))
    .sort();
  if (options.patterns.length === 0) return { files: all, unmatched: [] };
  const matches = (file: string, pattern: string) =>
    file === resolve(pattern) ||
    shortName(options.root, file).includes(pattern) ||
    shortName(process.cwd(), file).includes(pattern.replace(/^\.\//, ''));
  return {
    files: all.filter((file) => options.patterns.some((pattern) => matches(file, pattern))),
    unmatched: options.patterns.filter((pattern) => !all.some((file) => matches(file, pattern))),
  };
}

const running = new Map<ChildProcess, string>();

/** Ends a test file's process with everything it started. */
function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // the group is gone already
  }
}

const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

function start(file: string): ChildProcess {
  const env = { ...process.env, NO_COLOR: '1' };
  delete (env as Record<string, string | undefined>)['FORCE_COLOR'];
  return spawn(process.execPath, ['--import', loader, file], {
    cwd: dirname(import.meta.dirname),
    env,
    // a process group of its own, so that a time-out also reaches grandchildren
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function execute(file: string, name: string, limitS: number): Promise<Ending> {
  const startMs = performance.now();
  const child = start(file);
  running.set(child, name);
  let output = '';
  let line = '';
  let timedOut = false;
  const skipLines: string[] = [];
  const take = (chunk: string) => {
    output += chunk;
    if (output.length > 2 * OUTPUT_CHARS_MAX) output = output.slice(-OUTPUT_CHARS_MAX);
    const lines = (line + chunk).split('\n');
    line = lines.pop()!.slice(-OUTPUT_CHARS_MAX);
    for (const one of lines) {
      const found = SKIP_LINE.exec(stripVTControlCharacters(one));
      if (found !== null) skipLines.push(found[1]!.trimEnd());
    }
  };
  child.stdout!.setEncoding('utf8').on('data', take);
  child.stderr!.setEncoding('utf8').on('data', take);
  const timer = setTimeout(() => {
    timedOut = true;
    kill(child);
  }, limitS * 1000);
  return new Promise((settle) => {
    child.on('error', (error) => take(`${error}\n`));
    // What a test left running would keep the pipes open.
    child.on('exit', () => kill(child));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      take('\n');
      const ms = performance.now() - startMs;
      const plain = stripVTControlCharacters(output);
      settle({ code, signal, timedOut, output: plain, skipLines, ms });
    });
  });
}

/** uvu's summary, the last one printed; `Total` counts what ran, without the skipped. */
function summary(output: string) {
  const found = [
    ...output.matchAll(/^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)$/gm),
  ];
  const last = found.at(-1);
  if (last === undefined) return undefined;
  return { total: Number(last[1]), passed: Number(last[2]), skipped: Number(last[3]) };
}

function judge(file: string, ending: Ending, limitS: number): Verdict {
  const { code, signal, output, skipLines, ms } = ending;
  const base = { file, ms, skipLines, output };
  const counts = summary(output);
  const broken = (reason: string): Verdict => {
    const passed = counts === undefined ? 0 : counts.passed;
    const failed = counts === undefined ? 1 : Math.max(1, counts.total - counts.passed);
    return { ...base, passed, failed, skipped: counts?.skipped ?? 0, reason };
  };
  if (ending.timedOut) return broken(`still running after ${limitS} s`);
  if (signal !== null) return broken(`killed by ${signal}`);
  if (counts === undefined)
    return broken(
      `ended with code ${code} before its summary: an import that throws, process.exit, a promise that never settles, or no test.run()`,
    );
  if (counts.total + counts.skipped === 0) return broken('ran 0 tests: is test.run() missing?');
  if (counts.passed !== counts.total)
    return broken(`${counts.total - counts.passed} of ${counts.total} did not pass`);
  if (code !== 0) return broken(`ended with code ${code} after its summary`);
  // A test that only printed why it cannot run came back as passed: it counts as skipped.
  const silent = Math.min(counts.passed, Math.max(0, skipLines.length - counts.skipped));
  return { ...base, passed: counts.passed - silent, failed: 0, skipped: counts.skipped + silent };
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

function countsText(v: Pick<Verdict, 'passed' | 'failed' | 'skipped'>): string {
  const skipped = v.skipped > 0 ? `, ${v.skipped} skipped` : '';
  return `${v.passed} passed, ${v.failed} failed${skipped}`;
}

/** Progress on stderr: one running line on a terminal, else one line per finished file. */
function progress(done: number, total: number, verdict?: Verdict): void {
  if (!process.stderr.isTTY) {
    if (verdict === undefined) return;
    const mark = verdict.reason === undefined ? 'ok  ' : 'FAIL';
    process.stderr.write(
      `${mark} ${verdict.file}  ${countsText(verdict)}  ${seconds(verdict.ms)}\n`,
    );
    return;
  }
  const names = [...running.values()].join(' ');
  const text = done === total ? '' : `[${done}/${total}] ${names}`;
  process.stderr.write(`\r\x1b[2K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
}

async function runAll(files: readonly string[], options: Options): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const queue = files[Symbol.iterator]();
  const worker = async () => {
    for (const file of queue) {
      const name = shortName(options.root, file);
      const ending = execute(file, name, options.limitS);
      progress(verdicts.length, files.length);
      const verdict = judge(name, await ending, options.limitS);
      verdicts.push(verdict);
      progress(verdicts.length, files.length, verdict);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.jobs, files.length) }, worker));
  return verdicts.sort((a, b) => (a.file < b.file ? -1 : 1));
}

function printSkips(verdicts: readonly Verdict[]): void {
  const skipping = verdicts.filter((v) => v.skipped > 0);
  if (skipping.length > 0) console.log('\nSkipped:');
  for (const { file, skipped, skipLines } of skipping) {
    console.log(`  ${file}: ${skipped}`);
    for (const line of skipLines) console.log(`    ${line}`);
  }
}

function printSlowest(verdicts: readonly Verdict[]): void {
  const slow = verdicts
    .filter((v) => v.ms >= SLOW_MS_MIN)
    .sort((a, b) => b.ms - a.ms)
    .slice(0, SLOWEST_SHOWN);
  if (slow.length > 0) console.log('\nSlowest:');
  for (const { file, ms } of slow) console.log(`  ${seconds(ms).padStart(8)}  ${file}`);
}

function printFailures(verdicts: readonly Verdict[], unmatched: readonly string[]): void {
  for (const { file, reason, output } of verdicts) {
    if (reason === undefined) continue;
    console.log(`\nFAIL ${file}: ${reason}`);
    const shown = output.trim().slice(-SHOWN_CHARS_MAX);
    if (shown !== '') console.log(shown.replace(/^/gm, '  | '));
    console.log(`  again: npx tsx test/run.ts ${file}`);
  }
  for (const pattern of unmatched) console.log(`\nFAIL pattern '${pattern}': names no test file`);
}

/** Prints what happened, the closing line last. Returns the exit code. */
function report(verdicts: readonly Verdict[], unmatched: readonly string[]): number {
  printSlowest(verdicts);
  printSkips(verdicts);
  const nothing = verdicts.length === 0 && unmatched.length === 0;
  printFailures(verdicts, unmatched);
  if (nothing) console.log('\nFAIL: no test file found');
  const sum = { passed: 0, failed: unmatched.length + (nothing ? 1 : 0), skipped: 0 };
  for (const verdict of verdicts) {
    sum.passed += verdict.passed;
    sum.failed += verdict.failed;
    sum.skipped += verdict.skipped;
  }
  console.log(`\n${countsText(sum)}`);
  return sum.failed === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const options = parse();
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const { files, unmatched } = select(options);
  if (options.list) {
    for (const file of files) console.log(shortName(options.root, file));
    for (const pattern of unmatched) console.error(`pattern '${pattern}': names no test file`);
    return files.length > 0 && unmatched.length === 0 ? 0 : 1;
  }
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.on(signal, () => {
      for (const child of running.keys()) kill(child);
      process.exit(code);
    });
  return report(await runAll(files, options), unmatched);
}

try {
  process.exitCode = await main();
} catch (error) {
  const usage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  if (!usage) throw error;
  console.error(`${(error as Error).message}\nTry --help.`);
  process.exitCode = 2;
}
