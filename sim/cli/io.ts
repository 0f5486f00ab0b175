/**
 * What a verb may do to the outside world, as one object: streams, files, colours, the exit code. The
 * program makes one over the process; a test makes its own and drives verbs without a process.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

/** The program's exit codes. */
export const ExitCodes = { GOOD: 0, FINDINGS: 1, USAGE: 2, INTERNAL: 3 } as const;
export type ExitCode = (typeof ExitCodes)[keyof typeof ExitCodes];

/** The user's mistake, or input nobody can read: one line that says what to do next; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Colours by what they mean; without colour each returns its text unchanged. */
export interface Colours {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly name: (text: string) => string;
}

export interface Io {
  /** standard output; the text brings its own line breaks */
  readonly out: (text: string) => void;
  /** standard error */
  readonly err: (text: string) => void;
  /** standard error is a terminal: progress may be drawn there */
  readonly isTTY: boolean;
  readonly colours: Colours;
  /** bytes of a file. @throws UsageError naming the file and what is wrong with it */
  readonly readFile: (path: string) => Uint8Array;
  /** @throws UsageError naming the file and what is wrong with it */
  readonly writeFile: (path: string, data: Uint8Array | string) => void;
  /** makes a directory and those above it; it may exist. @throws UsageError */
  readonly mkdir: (path: string) => void;
  /** seconds since 1970: for certificates that expire, never for a run */
  readonly now: () => number;
  /** the worst code set is the one the program ends with */
  readonly setExitCode: (code: ExitCode) => void;
}

type Paint = (text: string) => string;
const plain: Paint = (text) => text;
const sgr =
  (on: number, off: number): Paint =>
  (text) =>
    `\u001b[${on}m${text}\u001b[${off}m`;

export function coloursOf(enabled: boolean): Colours {
  if (!enabled)
    return { good: plain, bad: plain, warn: plain, dim: plain, bold: plain, name: plain };
  return {
    good: sgr(32, 39),
    bad: sgr(31, 39),
    warn: sgr(33, 39),
    dim: sgr(2, 22),
    bold: sgr(1, 22),
    name: sgr(36, 39),
  };
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether to colour: FORCE_COLOR, then NO_COLOR, then whether a terminal that can is listening. */
export function wantsColour(isTTY: boolean, env: Environment): boolean {
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  const refused = env['NO_COLOR'];
  if (refused !== undefined && refused !== '') return false;
  return isTTY && env['TERM'] !== 'dumb';
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOTDIR: 'a part of the path is no directory',
  EEXIST: 'a file of that name is in the way',
  ENOSPC: 'no space left',
  EROFS: 'the file system is read-only',
};

/** Runs a file operation; what the system refuses becomes the user's line. */
function onFile<T>(verb: string, path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code !== 'string') throw error;
    throw new UsageError(`cannot ${verb} ${path}: ${reasons[code] ?? code}`);
  }
}

export const readFile: Io['readFile'] = (path) =>
  onFile('read', path, () => new Uint8Array(readFileSync(path)));

export const writeFile: Io['writeFile'] = (path, data) =>
  onFile('write', path, () => writeFileSync(path, data));

export const mkdir: Io['mkdir'] = (path) => {
  onFile('make directory', path, () => mkdirSync(path, { recursive: true }));
};

/** The worse of two codes: internal, then usage, then findings. */
export const worse = (a: ExitCode, b: ExitCode): ExitCode => (a > b ? a : b);

/** The process as it is. */
export function processIo(): Io {
  const { stdout, stderr, env } = process;
  // A reader that has seen enough (head) closes the pipe: no fault of anybody.
  for (const stream of [stdout, stderr])
    stream.on('error', (error: { code?: string }) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(process.exitCode ?? ExitCodes.GOOD);
    });
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    isTTY: stderr.isTTY === true,
    colours: coloursOf(wantsColour(stdout.isTTY === true, env)),
    readFile,
    writeFile,
    mkdir,
    now: () => Math.floor(Date.now() / 1000),
    setExitCode: (code) => {
      process.exitCode = worse(code, Number(process.exitCode ?? 0) as ExitCode);
    },
  };
}

/** Text of a file as UTF-8. @throws UsageError if it cannot be read or is no UTF-8 */
export function readText(io: Io, path: string): string {
  const bytes = io.readFile(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`cannot read ${path}: it is no UTF-8 text`);
  }
}
