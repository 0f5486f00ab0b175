import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Loaded, load, problemText } from '../../../sim/scenario/load.ts';
import { profileSchema, scenarioSchema, verbs } from '../../../sim/scenario/schema.ts';
import { profileText, scenarioText } from './shipped.ts';

const test = suite('scenario files');
const first = (loaded: Loaded<unknown>) => (loaded.ok ? '' : problemText(loaded.problems[0]!));

function problems(from: string, to: string): string[] {
  assert.ok(scenarioText.includes(from), from);
  const loaded = load(scenarioText.replace(from, to), 's.yaml', scenarioSchema);
  return loaded.ok ? [] : loaded.problems.map(problemText);
}
const lineOf = (needle: string) =>
  scenarioText.slice(0, scenarioText.indexOf(needle)).split('\n').length;

test('the shipped files are good', () => {
  assert.ok(load(scenarioText, 's.yaml', scenarioSchema).ok);
  assert.ok(load(profileText, 'p.yaml', profileSchema).ok);
});

const cases: [from: string, to: string, text: string][] = [
  ['width: 16', 'width: 3', 'platform.link.width: Invalid option: expected one of 1|2|4|8|16'],
  [
    'propagation: 5ns',
    'propagation: 5 parsecs',
    'platform.link.propagation: "5 parsecs" is not a duration such as 5ns, 1.5us, 20ms or 1s',
  ],
  ['generation: 5, ', '', 'platform.link.generation: missing, expected number'],
  [
    'generation: 5, ',
    'generation: 5, lanes: 4, ',
    'platform.link.lanes: unknown key; allowed here: generation, width, propagation',
  ],
  [
    'size: 1MiB',
    'size: 1MB',
    'platform.memory[0].size: "1MB" is not a size such as 512B, 64KiB or 1MiB',
  ],
  ['tdi: "01:00.1"', 'tdi: "1:0.1"', 'device.tdi: expected bus:device.function such as "01:00.1"'],
  ['- heartbeat', '- hearbeat', `story[1].steps[2]: expected one of ${verbs.join(', ')}`],
  [
    'by: guest, bar: 2',
    'by: nobody, bar: 2',
    'story[3].steps[0].mmio.by: Invalid option: expected one of "guest"|"host"',
  ],
  [
    'buffer: private, length: 256B',
    'bufer: private, length: 256B',
    'story[3].steps[1].dma.bufer: unknown key; allowed here: direction, buffer, length, by, expect',
  ],
];
for (const [from, to, text] of cases)
  test(`${from} -> ${to || 'nothing'}`, () => {
    const found = problems(from, to);
    const line = lineOf(from);
    assert.ok(found.includes(`s.yaml:${line}: ${text}`), `line ${line}: ${found.join('\n')}`);
  });

test('text that is no YAML, or no mapping, says so with its line', () => {
  const broken = load('schema: [1\nname: x\n', 's.yaml', scenarioSchema);
  assert.not.ok(broken.ok);
  assert.match(first(broken), /^s\.yaml:\d+: not YAML/);
  for (const text of ['', '- 1\n', 'just words\n']) {
    const loaded = load(text, 's.yaml', scenarioSchema);
    assert.not.ok(loaded.ok);
    assert.match(first(loaded), /expected a mapping of keys to values: schema, name, seed/);
  }
});

test('aliases that multiply do not exhaust memory', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 12; i++)
    bomb.push(`b${i}: &b${i} [${`*${i === 1 ? 'a' : `b${i - 1}`}, `.repeat(9)}]`);
  assert.not.ok(load(bomb.join('\n'), 's.yaml', scenarioSchema).ok);
});
test.run();
