/** The program's frame: usage, exit codes, one-line complaints, colours, pipes. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { coloursOf, UsageError, wantsColour } from '../../../sim/cli/io.ts';
import { packageRoot, packageVersion, shippedScenario } from '../../../sim/cli/package-root.ts';
import { encodePcapHeader, encodePcapRecord } from '../../../sim/sinks/pcap.ts';
import { cli, isComplaint, memoryIo } from './harness.ts';

const test = suite('cli program');

const wrong: readonly [name: string, argv: readonly string[], says: RegExp][] = [
  ['a mistyped verb', ['dmup', 'x.pcap'], /unknown verb 'dmup'; did you mean 'dump'\?/],
  ['an unknown verb', ['teleport'], /unknown verb 'teleport'; the verbs are run, dump, verify/],
  [
    'an unknown option',
    ['dump', '--frob', 'x'],
    /unknown option '--frob'; see tdisp-sim dump --help/,
  ],
  ['a mistyped option', ['dump', 'x', '--feilds'], /'--feilds'.*--fields/],
  [
    'a missing argument',
    ['dump'],
    /missing required argument 'FILE.pcap'; see tdisp-sim dump --help/,
  ],
  ['too many arguments', ['dump', 'a', 'b'], /too many arguments.*see tdisp-sim dump --help/],
  ['a missing value', ['dump', 'x', '--psk'], /argument missing; see tdisp-sim dump --help/],
  ['a bad value', ['dump', 'x', '--psk', 'zz'], /--psk.*'zz'.*hexadecimal/],
  ['an empty value', ['dump', 'x', '--dhe-secret', ''], /hexadecimal/],
  ['half a byte', ['dump', 'x', '--dhe-secret', 'abc'], /hexadecimal/],
  ['a missing file', ['dump', 'nowhere.pcap'], /cannot read nowhere.pcap: no such file/],
  ['a directory', ['verify', '.'], /cannot read .: it is a directory/],
  ['a file below a file', ['verify', 'package.json/x'], /cannot read package.json\/x: a part of/],
];

for (const [name, argv, says] of wrong)
  test(`${name} is one line and exit 2`, async () => {
    const { out, err, code } = await cli(argv);
    assert.is(code, 2);
    assert.is(out, '');
    assert.ok(isComplaint(err), err);
    assert.match(err, says);
  });

test('a fault of ours is exit 3, one line, no stack', async () => {
  const { err, code } = await cli(['run', '--break', 'badly']);
  assert.is(code, 3);
  assert.is(
    err,
    'tdisp-sim: internal error: TypeError: broken badly; please report it with this command line\n',
  );
});

test('without a verb, run', async () => {
  assert.is((await cli([])).out, 'ran default\n');
  assert.is((await cli(['lab.yaml'])).out, 'ran lab.yaml\n');
  assert.is((await cli(['--break', 'x'])).code, 3);
  assert.is((await cli(['default'])).out, 'ran default\n');
});

test('help and version are good and on standard output', async () => {
  const help = await cli(['--help']);
  assert.is(help.code, 0);
  assert.is(help.err, '');
  for (const verb of ['run', 'dump', 'verify']) assert.match(help.out, new RegExp(`\\b${verb}\\b`));
  for (const verb of ['dump', 'verify']) {
    const { out, code } = await cli([verb, '--help']);
    assert.is(code, 0);
    assert.match(out, /Examples:\n {2}tdisp-sim /);
  }
  const manifest = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  assert.is((await cli(['--version'])).out, `${manifest.version}\n`);
  assert.is(packageVersion(), manifest.version);
});

test('shipped files are found by the package', () => {
  assert.match(shippedScenario('default') ?? '', /sim\/scenario\/library\/default\.yaml$/);
  assert.is(shippedScenario('nothing'), undefined);
  assert.is(shippedScenario('../../../package'), undefined);
});

const colours: readonly [tty: boolean, env: Record<string, string>, wanted: boolean][] = [
  [true, {}, true],
  [false, {}, false],
  [true, { NO_COLOR: '1' }, false],
  [true, { NO_COLOR: '' }, true],
  [false, { FORCE_COLOR: '1' }, true],
  [false, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
  [true, { FORCE_COLOR: '0' }, false],
  [true, { FORCE_COLOR: 'false' }, false],
  [true, { TERM: 'dumb' }, false],
];
for (const [tty, env, wanted] of colours)
  test(`colour on ${tty ? 'a terminal' : 'a pipe'} with ${JSON.stringify(env)}: ${wanted}`, () => {
    assert.is(wantsColour(tty, env), wanted);
  });

test('colours change nothing but colour', () => {
  assert.is(coloursOf(false).bad('x'), 'x');
  assert.is(coloursOf(true).bad('x'), '\u001b[31mx\u001b[39m');
});

test('the worst exit code stays', () => {
  const io = memoryIo();
  io.setExitCode(2);
  io.setExitCode(1);
  assert.is(io.result().code, 2);
});

test('files that cannot be written are the user-s to know', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tdisp-sim-'));
  try {
    const io = memoryIo();
    io.mkdir(join(folder, 'a/b'));
    io.writeFile(join(folder, 'a/b/c'), 'text');
    assert.is(readFileSync(join(folder, 'a/b/c'), 'utf8'), 'text');
    assert.throws(
      () => io.writeFile(join(folder, 'none/c'), ''),
      (error: unknown) =>
        error instanceof UsageError && /cannot write .*none\/c/.test(error.message),
    );
    assert.throws(
      () => io.mkdir(join(folder, 'a/b/c')),
      (error: unknown) => error instanceof UsageError,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const script = fileURLToPath(new URL('./process.ts', import.meta.url));
const tsx = ['--import', 'tsx', script];

test('a process ends with the code, and quietly when its reader has gone', () => {
  const bad = spawnSync(process.execPath, [...tsx, 'dump', 'nowhere.pcap'], { encoding: 'utf8' });
  assert.is(bad.status, 2);
  assert.ok(isComplaint(bad.stderr), bad.stderr);
  const folder = mkdtempSync(join(tmpdir(), 'tdisp-sim-'));
  try {
    const pcap = join(folder, 'long.pcap');
    const message = Uint8Array.of(1, 0, 1, 0, 3, 0, 0, 0, 0x10, 0x84, 0, 0);
    const records = Array.from({ length: 20_000 }, () => encodePcapRecord(0, message));
    memoryIo().writeFile(pcap, Buffer.concat([encodePcapHeader(292), ...records]));
    const command = `'${process.execPath}' ${tsx.join(' ')} dump '${pcap}' | head -n 1`;
    const piped = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
    assert.is(piped.stderr, '');
    assert.match(piped.stdout, /GET_VERSION\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
