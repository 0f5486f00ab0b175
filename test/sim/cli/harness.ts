/** Drives verbs without a process: files in memory over the real ones, streams as strings. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { register as registerDump } from '../../../sim/cli/dump.ts';
import {
  coloursOf,
  type ExitCode,
  type Io,
  mkdir,
  readFile,
  worse,
  writeFile,
} from '../../../sim/cli/io.ts';
import { type Register, runProgram } from '../../../sim/cli/program.ts';
import { register as registerVerify } from '../../../sim/cli/verify.ts';

export interface Ran {
  readonly out: string;
  readonly err: string;
  readonly code: ExitCode;
}

/** 2026-11-20T00:00:00Z */
export const NOW = 1795132800;

export interface MemoryIo extends Io {
  readonly result: () => Ran;
}

export function memoryIo(files: Readonly<Record<string, Uint8Array | string>> = {}): MemoryIo {
  const text = { out: '', err: '' };
  let code: ExitCode = 0;
  return {
    out: (more) => {
      text.out += more;
    },
    err: (more) => {
      text.err += more;
    },
    isTTY: false,
    colours: coloursOf(false),
    readFile: (path) => {
      const file = files[path];
      if (file === undefined) return readFile(path);
      return typeof file === 'string' ? new TextEncoder().encode(file) : file;
    },
    writeFile,
    mkdir,
    now: () => NOW,
    setExitCode: (more) => {
      code = worse(code, more);
    },
    result: () => ({ ...text, code }),
  };
}

/** Stands for the verb `run`: the default, taking an optional file. */
export const registerRun: Register = (program: Command, io: Io) => {
  program
    .command('run', { isDefault: true })
    .argument('[SCENARIO.yaml]')
    .option('--break <HOW>')
    .action((file: string | undefined, options: { break?: string }) => {
      if (options.break !== undefined) throw new TypeError(`broken ${options.break}`);
      io.out(`ran ${file ?? 'default'}\n`);
    });
};

export const verbs: readonly Register[] = [registerRun, registerDump, registerVerify];

export async function cli(
  argv: readonly string[],
  files: Readonly<Record<string, Uint8Array | string>> = {},
): Promise<Ran> {
  const io = memoryIo(files);
  await runProgram(argv, io, verbs);
  return io.result();
}

const shared = new URL('../../../../shared/', import.meta.url);

/** Path of a recorded file, or undefined after saying that it is not here. */
export function recorded(name: string): string | undefined {
  const path = fileURLToPath(new URL(name, shared));
  if (existsSync(path)) return path;
  console.log(`SKIP: ${name} is not here`);
  return undefined;
}

/** A one-line complaint of the program. */
export const isComplaint = (err: string): boolean => /^tdisp-sim: [^\n]+\n$/.test(err);
