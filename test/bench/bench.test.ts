/** The frame of benchmarks: what is timed, printed and refused. Figures are never asserted. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Benchmark } from '../../bench/frame/benchmark.ts';
import { measure, median, ratio } from '../../bench/frame/measure.ts';
import { rateIn } from '../../bench/frame/peer-command.ts';
import { type Operation, recording } from '../../bench/handshake/bare.ts';
import { Room } from '../../bench/handshake/room.ts';
import { handshakeSuites, provision } from '../../bench/handshake/suites.ts';
import { benchmarks } from '../../bench/index.ts';
import { nobleProvider } from '../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import { register, registerOver } from '../../sim/cli/bench.ts';
import { type Register, runProgram } from '../../sim/cli/program.ts';
import { stream } from '../protocols/spdm/pair.ts';
import { isComplaint, memoryIo, type Ran } from '../sim/cli/harness.ts';

const test = suite('bench');

let runs = 0;
const count = () => {
  runs++;
};
const caseOf = (name: string, extra: boolean) => ({
  name,
  extra,
  prepare: () => ({
    name,
    contenders: [
      { name: 'ours', run: count, warmUpRuns: 7 },
      { name: 'theirs', run: () => {} },
    ],
    peers: ['theirs'],
  }),
});
const tiny: Benchmark = {
  name: 'tiny',
  summary: 'counts',
  unit: 'counts',
  cases: [caseOf('usual', false), caseOf('rare', true)],
};

async function bench(args: readonly string[], verb: Register = registerOver([tiny])): Promise<Ran> {
  const io = memoryIo();
  await runProgram(['bench', ...args], io, [verb]);
  return io.result();
}
const TIME = ['--time', '0.01'];

test('prints a table with the ratio to each peer', async () => {
  runs = 0;
  const { out, err, code } = await bench(['tiny', ...TIME, '--peer-command', "echo '2 counts/s'"]);
  assert.is(code, 0, err);
  assert.ok(runs >= 7 + 3, `${runs} runs`);
  assert.match(out, /^tiny: counts$/m);
  assert.match(out, /^usual +counts\/s +median ms +min +max +samples +ratio$/m);
  assert.match(out, /^ours( +[\d.]+){4} +\d+ {2}[\d.]+ x theirs, [\d.]+ x peer command$/m);
  assert.match(out, /^theirs( +[\d.]+){4} +\d+ {2}peer$/m);
  assert.match(out, /^peer command +2\.00 +500 +500 +500 +3 {2}peer$/m);
  assert.not.match(out, /rare/);
});

test('says so if there is no other implementation', async () => {
  assert.match((await bench(TIME)).out, /no other implementation .* --peer-command/);
});

test('--all, --only and --quiet choose what is timed and printed', async () => {
  const all = await bench([...TIME, '--all', '--quiet']);
  assert.match(all.out, /^\nusual [\s\S]*\n\nrare /);
  const only = await bench([...TIME, '--only', 'RAR', '--quiet']);
  assert.match(only.out, /^\nrare /);
  assert.not.match(only.out, /usual/);
});

test('--json prints one document', async () => {
  const { out } = await bench([...TIME, '--json', '--peer-command', 'echo counts/s: 4']);
  const document = JSON.parse(out);
  assert.is(document.schema, 'tdisp-sim/bench@1');
  assert.is(document.peerCommand, 'echo counts/s: 4');
  assert.equal(Object.keys(document.machine), ['node', 'openssl', 'cpu', 'cores']);
  const [{ name, unit, cases }] = document.benchmarks;
  assert.equal([name, unit, cases.length], ['tiny', 'counts', 1]);
  const rows = cases[0].rows;
  assert.equal(
    rows.map((row: { name: string; peer: boolean }) => [row.name, row.peer]),
    [
      ['ours', false],
      ['theirs', true],
      ['peer command', true],
    ],
  );
  assert.equal(Object.keys(rows[0].ratios), ['theirs', 'peer command']);
  assert.equal([rows[2].medianMs, rows[2].perSecond, rows[2].ratios], [250, 4, {}]);
});

for (const [name, args, complaint] of [
  ['an unknown benchmark', ['none'], /unknown benchmark 'none'; there are tiny$/m],
  ['a case nobody has', ['--only', 'odd'], /no case of tiny has 'odd'.*usual, rare$/m],
  ['a time that is none', ['--time', '0'], /--time .* number of seconds/],
  [
    'a peer command that fails',
    [...TIME, '--peer-command', 'exit 3'],
    /'exit 3': it ended with 3$/m,
  ],
  [
    'a peer command without a rate',
    [...TIME, '--peer-command', 'echo hi'],
    /prints no 'counts\/s'/,
  ],
] as const)
  test(`${name} is a usage error`, async () => {
    const { out, err, code } = await bench(args);
    assert.is(code, 2, out);
    assert.ok(isComplaint(err), err);
    assert.match(err, complaint);
  });

test('an unknown name lists the shipped benchmarks', async () => {
  const { err, code } = await bench(['nonesuch'], register);
  assert.is(code, 2);
  for (const { name } of benchmarks) assert.ok(err.includes(name), err);
});

test('reads the last rate a command says', () => {
  const rates = [
    ['12.5 sessions/s', 12.5],
    ['sessions/s: 99', 99],
    ['warm 1 sessions/s\nthen 2e3 sessions/sec\n', 2000],
    ['SESSIONS/S = 7', 7],
    ['0 sessions/s', undefined],
    ['12 handshakes/s', undefined],
  ] as const;
  for (const [text, rate] of rates) assert.is(rateIn(text, 'sessions'), rate, text);
});

test('every round gives each contender a sample; a ratio is the median of the rounds', () => {
  const seen: number[] = [];
  const options = { budgetMs: 3, onProgress: (done: number) => seen.push(done) };
  const names = ['a', 'b', 'c'];
  const external = { name: 'x', measure: () => 5 };
  const timed = measure(
    names.map((name) => ({ name, run: () => {} })),
    [external],
    options,
  );
  assert.equal(
    timed.map(({ name }) => name),
    [...names, 'x'],
  );
  const [a, b, , x] = timed;
  assert.is(a!.samples.length, b!.samples.length);
  assert.equal(x!.samples, [5, 5, 5]);
  assert.equal(x!.parts, [0, 1, 2]);
  assert.equal([...new Set(a!.parts)], [0, 1, 2]);
  assert.is(seen.at(-1), 1);
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 3, 2]), 2.5);
  const own = { name: 'own', samples: [1, 2, 4, 8], parts: [0, 1, 1, 2] };
  assert.is(ratio(own, { name: 'p', samples: [2, 4, 8, 8], parts: [0, 1, 1, 2] }), 2);
  assert.is(ratio(own, { name: 'q', samples: [3, 6, 9], parts: [0, 1, 2] }), 2);
});

for (const one of handshakeSuites)
  test(`${one.name}: both exchanges and their cryptography alone run`, () => {
    const provisioned = provision(one, nodeProvider, stream(1));
    const operations: Operation[] = [];
    const room = new Room(recording(nodeProvider, operations), one, provisioned);
    for (const go of [() => room.session(), () => room.attestation()]) {
      operations.length = 0;
      go();
      assert.ok(operations.length > 5, `${operations.length} operations`);
      for (const operation of operations) assert.is.not(operation(), false);
    }
  });

test('the portable provider runs the same exchanges', () => {
  const one = handshakeSuites[0]!;
  const room = new Room(nobleProvider, one, provision(one, nodeProvider, stream(1)));
  room.session();
  room.attestation();
});

test.run();
