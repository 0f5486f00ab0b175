import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { register as registerDump } from '../../../sim/cli/dump.ts';
import { runProgram } from '../../../sim/cli/program.ts';
import { register as registerRun } from '../../../sim/cli/run.ts';
import { scenarioText } from '../scenario/shipped.ts';
import { isComplaint, memoryIo } from './harness.ts';

const test = suite('tdisp-sim run');

async function cli(argv: readonly string[], files: Readonly<Record<string, string>> = {}) {
  const io = memoryIo(files);
  await runProgram(argv, io, [registerRun, registerDump]);
  return io.result();
}

const shortStory = `${scenarioText.slice(0, scenarioText.indexOf('story:'))}story:
  - chapter: Short
    steps:
      - enumerate
      - authenticate
      - open-session
      - end-session
`;

test('alone plays the shipped scenario and tells all seven chapters', async () => {
  const { out, err, code } = await cli([]);
  assert.is(err, '');
  assert.is(code, 0);
  const titles = [
    'Enumerate',
    'Authenticate and open a session',
    'Secure the link',
    'Lock and run the interface',
    'Move data',
    'Break it and recover',
    'Shut down',
  ];
  for (const [i, title] of titles.entries())
    assert.ok(out.includes(`\n${i + 1}  ${title}\n`), title);
  assert.match(out, /34 of 34 steps, no findings/);
  assert.match(out, /KEY_PROG x6/);
  assert.match(out, /01:00\.1 RUN -> ERROR \(stream-insecure\)/);
  assert.is(out.match(/^ {2}held {2}/gm)?.length, 5);
  assert.match(out, /What to try next/);
  assert.not.match(out, /never looked/);
});

test('what README shows of a run is what the program says', async () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const excerpt = /A piece of what it says:\n\n```\n([^`]*)```/.exec(readme)![1]!;
  const said = new Set((await cli([])).out.split('\n'));
  for (const line of excerpt.split('\n'))
    if (line.trim() !== '...') assert.ok(said.has(line), line);
});

test('--json is one document with the promised members', async () => {
  const { out, code } = await cli(['run', 'mine.yaml', '--json'], { 'mine.yaml': shortStory });
  assert.is(code, 0);
  const json = JSON.parse(out);
  assert.equal(Object.keys(json), [
    'schema',
    'scenario',
    'seed',
    'traceHash',
    'simTimePs',
    'events',
    'tdis',
    'checkers',
    'findings',
  ]);
  assert.is(json.schema, 'tdisp-sim/run@1');
  assert.match(json.traceHash, /^[0-9a-f]{64}$/);
  assert.equal(json.tdis[1], { id: '01:00.1', state: 'CONFIG_UNLOCKED' });
  assert.equal(json.findings, []);
  const names = json.checkers.map((each: { name: string }) => each.name);
  assert.equal(names, [
    'no-plaintext',
    'unique-iv',
    'tee-dma-in-run',
    'run-implies-secure',
    'dma-complete',
  ]);
});

test('--seed and --crypto: the trace hash follows the seed alone', async () => {
  const files = { 'mine.yaml': shortStory };
  const hash = async (...more: string[]) =>
    JSON.parse((await cli(['run', 'mine.yaml', '--json', ...more], files)).out).traceHash;
  const first = await hash('--seed', '5');
  assert.is(await hash('--seed', '5', '--crypto', 'noble'), first);
  assert.is.not(await hash('--seed', '6'), first);
  assert.is.not(await hash('--seed', 'five'), first);
});

test('--out keeps a trace with the run’s hash and a capture that dump decodes whole', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tdisp-sim-'));
  try {
    const out = join(folder, 'results');
    const keys = join(folder, 'keys');
    const argv = ['run', 'mine.yaml', '--out', out, '--keylog', keys];
    const ran = await cli(argv, { 'mine.yaml': shortStory });
    assert.is(ran.code, 0);
    assert.match(readFileSync(keys, 'utf8'), /^SPDM_DHE [0-9a-f]{8} [0-9a-f]{96}\n$/);
    const byKeyLog = await cli(['dump', join(out, 'doe.pcap'), '--keylog', keys, '--quiet']);
    assert.match(byKeyLog.out, / 0 undecrypted; .* 5 verified, 0 failed, 0 unverifiable\n$/);
    const summary = JSON.parse(readFileSync(join(out, 'summary.json'), 'utf8'));
    const trace = readFileSync(join(out, 'trace.jsonl'));
    assert.is(createHash('sha256').update(trace).digest('hex'), summary.traceHash);
    for (const line of trace.toString().trimEnd().split('\n')) JSON.parse(line);
    const [reference, ours] = readFileSync(join(out, 'decode.txt'), 'utf8').trim().split('\n');
    assert.match(reference!, /^spdm_dump -r \S+doe\.pcap --dhe_secret [0-9a-f]{96} -a -d$/);
    assert.ok(ran.out.includes(reference!));
    const dumped = await cli([...ours!.split(' ').slice(1), '--json']);
    assert.is(dumped.code, 0);
    const { totals, messages } = JSON.parse(dumped.out);
    assert.equal([totals.undecoded, totals.undecrypted, totals.failed], [0, 0, 0]);
    assert.is(totals.verified, 5);
    assert.is(messages.at(-1).name, 'END_SESSION_ACK');
    assert.is(messages[0].layer, 'DOE');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a finding ends with exit code 1 and is told', async () => {
  const text = shortStory.replace('- end-session', '- expect-state: { tdi: RUN }');
  const { out, code } = await cli(['run', 'mine.yaml', '--quiet'], { 'mine.yaml': text });
  assert.is(code, 1);
  assert.match(out, /finding at .*expect-state: 01:00\.1 is in CONFIG_UNLOCKED, expected RUN/);
});

const wrong: [name: string, argv: string[], text: string, complaint: RegExp][] = [
  [
    'a wrong value',
    ['run', 'a.yaml'],
    shortStory.replace('width: 16', 'width: 5'),
    /a\.yaml:\d+: platform\.link\.width: .*1\|2\|4\|8\|16/,
  ],
  [
    'a wrong key',
    ['run', 'a.yaml'],
    shortStory.replace('epoch:', 'epok:'),
    /a\.yaml:\d+: epok: unknown key; allowed here: .*epoch/,
  ],
  ['no YAML', ['run', 'a.yaml'], '{', /a\.yaml:\d+: not YAML/],
  [
    'a profile that is not there',
    ['run', 'a.yaml'],
    shortStory.replace('tee-accelerator', 'nothing'),
    /cannot read .*nothing\.yaml: no such file/,
  ],
  [
    'a file that is not there',
    ['run', 'b.yaml'],
    '',
    /cannot read b\.yaml: no such file or directory/,
  ],
  [
    'memory regions that overlap',
    ['run', 'a.yaml'],
    shortStory.replace('base: 0x200000000', 'base: 0x100000000'),
    /a\.yaml: the machine cannot be built: regions\.private: overlaps shared/,
  ],
  [
    'a TDI the device does not have',
    ['run', 'a.yaml'],
    shortStory.replace('01:00.1', '01:00.7'),
    /^$/,
  ],
  ['an unknown provider', ['run', '--crypto', 'rot13'], '', /noble/],
];
for (const [name, argv, text, complaint] of wrong)
  test(`bad input: ${name}`, async () => {
    const { out, err, code } = await cli(argv, text === '' ? {} : { 'a.yaml': text });
    assert.match(err, complaint);
    assert.not.match(out + err, /\n\s+at /);
    if (err === '') assert.match(out, /device\.tdi: no TEE-IO function 01:00\.7 was found/);
    else assert.ok(isComplaint(err), err);
    assert.is(code, err === '' ? 1 : 2);
    assert.not.ok(existsSync('a.yaml'));
  });
test.run();
