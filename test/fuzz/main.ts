/**
 * `npm run fuzz -- --count N`: so many mutated messages into each role. Ends with a table of what came of
 * them; a finding prints the command that brings it about again.
 */

import { parseArgs } from 'node:util';
import { buildCorpus } from './corpus.ts';
import { requesterEpoch } from './requester-target.ts';
import { responderEpoch } from './responder-target.ts';
import { EPOCH_TRIES, type Epoch, newTally, type Role, type Tally } from './target.ts';

const HELP = `Usage: npm run fuzz -- [options]

Mutated SPDM messages into a responder and into a requester: nothing may throw, hang or change state
on a refusal.

  --count N      messages into each role (default 100000)
  --role ROLE    responder, requester or both (default)
  --seed N       another run (default 1)
  --epoch N      only this epoch of ${EPOCH_TRIES} messages, as a finding names it

Exit code: 0 nothing found, 1 findings, 2 wrong usage.
`;
const FINDINGS_SHOWN = 10;
const OUTCOMES_SHOWN = 24;
const PROGRESS_MS = 500;

interface Options {
  readonly count: number;
  readonly seed: number;
  readonly roles: readonly Role[];
  readonly epoch: number | undefined;
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`--${name}: expected a whole number, got "${text}"`);
}

function optionsOf(args: readonly string[]): Options | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { count: text, role: text, seed: text, epoch: text, help: { type: 'boolean' } },
  });
  if (values.help) return undefined;
  const { role = 'both' } = values;
  if (!['both', 'responder', 'requester'].includes(role))
    throw new Error(`--role: expected responder, requester or both, got "${role}"`);
  return {
    count: wholeNumber('count', values.count ?? '100000'),
    seed: wholeNumber('seed', values.seed ?? '1'),
    roles: role === 'both' ? ['responder', 'requester'] : [role as Role],
    epoch: values.epoch === undefined ? undefined : wholeNumber('epoch', values.epoch),
  };
}

/** One role's run; calls `progress` now and then. */
export function fuzz(
  epochOf: Epoch,
  tries: number,
  only: number | undefined,
  progress: (tally: Tally) => void = () => {},
): Tally {
  const tally = newTally();
  if (only !== undefined) {
    epochOf(only, EPOCH_TRIES, tally);
    return tally;
  }
  for (let epoch = 0; tally.tries < tries; epoch++) {
    epochOf(epoch, Math.min(EPOCH_TRIES, tries - tally.tries), tally);
    progress(tally);
  }
  return tally;
}

function report(role: Role, tally: Tally, seconds: number, seed: number): void {
  const rate = Math.round(tally.tries / seconds);
  console.log(
    `${role}: ${tally.tries} messages in ${seconds.toFixed(1)} s, ${rate} per second, slowest ${tally.slowestMs.toFixed(0)} ms`,
  );
  const outcomes = [...tally.outcomes].sort(([, a], [, b]) => b - a);
  for (const [name, times] of outcomes.slice(0, OUTCOMES_SHOWN))
    console.log(`  ${String(times).padStart(9)}  ${name}`);
  if (outcomes.length > OUTCOMES_SHOWN) console.log(`             ... ${outcomes.length} in all`);
  console.log(`  findings: ${tally.findings.length}`);
  for (const finding of tally.findings.slice(0, FINDINGS_SHOWN)) {
    console.log(`  ${finding.what}\n    message ${finding.index}: ${finding.bytes.slice(0, 400)}`);
    const again = `--role ${role} --seed ${seed} --epoch ${finding.epoch}`;
    console.log(`    again: npm run fuzz -- ${again}`);
  }
}

function main(): number {
  const options = optionsOf(process.argv.slice(2));
  if (options === undefined) {
    console.log(HELP);
    return 0;
  }
  const corpus = buildCorpus();
  const { requests, responses, recorded } = corpus;
  console.log(
    `corpus: ${requests.length} requests, ${responses.length} responses, ${recorded} messages read from captures`,
  );
  let found = 0;
  for (const role of options.roles) {
    const epochOf = (role === 'responder' ? responderEpoch : requesterEpoch)(corpus, options.seed);
    const began = performance.now();
    let shown = began;
    const tally = fuzz(epochOf, options.count, options.epoch, ({ tries, findings }) => {
      if (!process.stderr.isTTY || performance.now() - shown < PROGRESS_MS) return;
      shown = performance.now();
      process.stderr.write(`\r${role}: ${tries} of ${options.count}, ${findings.length} findings `);
    });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    report(role, tally, (performance.now() - began) / 1000, options.seed);
    found += tally.findings.length;
  }
  return found === 0 ? 0 : 1;
}

if (process.argv[1]?.endsWith('main.ts')) {
  try {
    process.exitCode = main();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    process.exitCode = 2;
  }
}
