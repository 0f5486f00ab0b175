/**
 * The frame around the verbs: command line parsing, help, version, and what becomes of every error. A
 * verb is a module with `register(program, io)`; it throws `UsageError` for the user's mistakes and sets
 * the exit code for findings. Nothing here prints a stack trace.
 */

import { Command, CommanderError } from 'commander';
import { LocalError } from '../../protocols/codec/refusal.ts';
import { ExitCodes, type Io, UsageError } from './io.ts';
import { packageVersion, shippedScenario } from './package-root.ts';

export type Register = (program: Command, io: Io) => void;

const PROGRAM = 'tdisp-sim';

/** Commander's own message as our one line: without its prefix, with what to do next. */
function parseErrorLine(message: string, verb: string | undefined): string {
  const line = message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)/, '; did you mean $1?')
    .replace(/\s*\n\s*/g, ' ')
    .trim();
  const help = verb === undefined ? `${PROGRAM} --help` : `${PROGRAM} ${verb} --help`;
  return line.endsWith('?') ? line : `${line}; see ${help}`;
}

function configure(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => io.out(text),
    writeErr: (text) => io.err(text),
    // The error is thrown as well and reported once, by `runProgram`.
    outputError: () => {},
  });
  for (const child of command.commands) configure(child, io);
}

/** The program with its verbs. */
export function createProgram(io: Io, verbs: readonly Register[]): Command {
  const program = new Command(PROGRAM)
    .description(
      'Simulates confidential-computing I/O (SPDM, PCIe IDE, TDISP), and reads what others recorded.',
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .addHelpText(
      'after',
      `
Exit codes: 0 good, 1 findings, 2 usage or bad input, 3 a fault of this program.
'${PROGRAM} VERB --help' shows the options and examples of a verb.`,
    );
  for (const register of verbs) register(program, io);
  configure(program, io);
  return program;
}

/** Edits it takes to turn one word into the other, for suggestions. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    row = next;
  }
  return row[b.length]!;
}

/**
 * `run` is the verb when none is given, so a mistyped verb would look like a scenario file. A first word
 * that is neither verb, path nor shipped scenario is taken for what it is.
 */
function checkVerb(argv: readonly string[], program: Command): void {
  const [word] = argv;
  const names = program.commands.map((command) => command.name());
  if (word === undefined || word === '' || word.startsWith('-') || names.includes(word)) return;
  if (/[./\\]/.test(word) || shippedScenario(word) !== undefined) return;
  const nearest = names
    .map((name) => ({ name, edits: distance(word, name) }))
    .sort((a, b) => a.edits - b.edits)[0];
  const hint =
    nearest !== undefined && nearest.edits <= 2
      ? `did you mean '${nearest.name}'?`
      : `the verbs are ${names.join(', ')}; see ${PROGRAM} --help`;
  throw new UsageError(`unknown verb '${word}'; ${hint}`);
}

/** Reports an error in one line and sets the exit code that goes with it. */
function report(error: unknown, argv: readonly string[], program: Command, io: Io): void {
  const fail = (line: string) => io.err(`${PROGRAM}: ${line.replace(/\s*\n\s*/g, ' ')}\n`);
  if (error instanceof CommanderError) {
    // Help and version end in an exception too.
    if (error.exitCode === 0) return;
    const verb = program.commands.find((command) => command.name() === argv[0])?.name();
    fail(parseErrorLine(error.message, verb));
    return io.setExitCode(ExitCodes.USAGE);
  }
  if (error instanceof UsageError) {
    fail(error.message);
    return io.setExitCode(ExitCodes.USAGE);
  }
  const what =
    error instanceof LocalError
      ? error.message
      : error instanceof Error
        ? String(error)
        : 'unknown';
  fail(`internal error: ${what}; please report it with this command line`);
  io.setExitCode(ExitCodes.INTERNAL);
}

/** Parses `argv` (without node and script) and runs the verb; never throws. */
export async function runProgram(
  argv: readonly string[],
  io: Io,
  verbs: readonly Register[],
): Promise<void> {
  const program = createProgram(io, verbs);
  try {
    checkVerb(argv, program);
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    report(error, argv, program, io);
  }
}
