/** The runner against a folder of traps: each way a test file can end well without being good. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('run');
const runner = join(import.meta.dirname, 'run.ts');
const uvu = import.meta.resolve('uvu');
const folder = mkdtempSync(join(tmpdir(), 'run-test-'));
const [quick, slow, bare] = ['quick', 'slow', 'bare'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const head = `import { suite } from '${uvu}';\nconst test = suite('trap');\n`;

type Traps = Record<string, readonly [source: string, counts: string, reason?: RegExp]>;
/** file name -> [source, counts the runner must print, what its reason must say] */
const traps: Traps = {
  'good.test.ts': [
    `${head}test('a', () => {});\ntest('b', () => {});\ntest.run();`,
    '2 passed, 0 failed',
  ],
  'deep/inside.test.ts': [`${head}test('a', () => {});\ntest.run();`, '1 passed, 0 failed'],
  'skipped.test.ts': [
    `${head}test('a', () => {});\ntest.skip('b', () => {});\ntest.run();`,
    '1 passed, 0 failed, 1 skipped',
  ],
  'all-skipped.test.ts': [
    `${head}console.log('SKIP: no data folder');\ntest.skip('a', () => {});\ntest.run();`,
    '0 passed, 0 failed, 1 skipped',
  ],
  'quiet-skip.test.ts': [
    `${head}test('a', () => console.log('SKIP: no device'));\ntest('b', () => {});\ntest.run();`,
    '1 passed, 0 failed, 1 skipped',
  ],
  'leftover.test.ts': [
    `${head}import { spawn } from 'node:child_process';
    test('a', () => {
      spawn(process.execPath, ['-e', 'setTimeout(() => {}, 150_000)'], { stdio: 'inherit' }).unref();
    });
    test.run();`,
    '1 passed, 0 failed',
  ],
  'two-summaries.test.ts': [
    `${head}console.log('\\n  Total:     9\\n  Passed:    9\\n  Skipped:   0');
    test('a', () => {});\ntest.run();`,
    '1 passed, 0 failed',
  ],
  'empty.test.ts': ['export {};', '0 passed, 1 failed', /before its summary/],
  'forgot-run.test.ts': [`${head}test('a', () => {});`, '0 passed, 1 failed', /no test\.run\(\)/],
  'no-tests.test.ts': [`${head}test.run();`, '0 passed, 1 failed', /ran 0 tests/],
  'failing.test.ts': [
    `${head}test('a', () => { throw new Error('on purpose'); });\ntest('b', () => {});\ntest.run();`,
    '1 passed, 1 failed',
    /1 of 2 did not pass/,
  ],
  'hook.test.ts': [
    `${head}test.before(() => { throw new Error('no set-up'); });\ntest('a', () => {});\ntest.run();`,
    '0 passed, 1 failed',
    /1 of 1 did not pass/,
  ],
  'hung.test.ts': [
    `${head}test('a', () => {});\ntest('b', () => new Promise(() => {}));\ntest.run();`,
    '0 passed, 1 failed',
    /before its summary/,
  ],
  'import.test.ts': [
    `import './nowhere.ts';\n${head}test('a', () => {});\ntest.run();`,
    '0 passed, 1 failed',
    /code 1 before its summary/,
  ],
  'exit.test.ts': [
    `${head}test('a', () => process.exit(0));\ntest('b', () => {});\ntest.run();`,
    '0 passed, 1 failed',
    /before its summary/,
  ],
  'late-throw.test.ts': [
    `${head}test('a', () => { setTimeout(() => { throw new Error('late'); }, 300); });\ntest.run();`,
    '1 passed, 1 failed',
    /code 1 after its summary/,
  ],
  'lying-code.test.ts': [
    `${head}test('a', () => {});\nprocess.on('exit', () => { process.exitCode = 3; });\ntest.run();`,
    '1 passed, 1 failed',
    /code 3 after its summary/,
  ],
  'killed.test.ts': [
    `${head}test('a', () => process.kill(process.pid, 'SIGTERM'));\ntest.run();`,
    '0 passed, 1 failed',
    /killed by SIGTERM/,
  ],
};

/** Traps that only the time limit ends. The last one leaves a process that keeps the pipes open. */
const endless: Traps = {
  'loop.test.ts': [
    `${head}test('a', () => { for (;;); });\ntest.run();`,
    '0 passed, 1 failed',
    /still running after \d+ s/,
  ],
  'open-handle.test.ts': [
    `${head}test('a', () => { setInterval(() => {}, 1000); });\ntest.run();`,
    '1 passed, 1 failed',
    /still running after \d+ s/,
  ],
  'grandchild.test.ts': [
    `${head}import { spawn } from 'node:child_process';
    test('a', () => {
      spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    });
    test.run();`,
    '1 passed, 1 failed',
    /still running after \d+ s/,
  ],
};

function run(root: string, ...args: string[]) {
  const all = ['--import', import.meta.resolve('tsx'), runner, '--root', root, ...args];
  const env = { ...process.env, FORCE_COLOR: '1' };
  const options = { encoding: 'utf8', env, timeout: 100_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, all, options);
  return { status, stdout, stderr, closing: stdout.trimEnd().split('\n').at(-1) };
}

/** Holds a run against its table: each file's line, its reason, and the sum at the end. */
function check(set: Traps, { status, stdout, stderr, closing }: ReturnType<typeof run>) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, [, counts, reason]] of Object.entries(set)) {
    const mark = reason === undefined ? 'ok  ' : 'FAIL';
    const line = stderr.split('\n').find((one) => one.includes(` ${name} `)) ?? '';
    assert.ok(line.startsWith(`${mark} ${name}  ${counts}  `), `${name}: '${line}'`);
    const told = stdout.split('\n').find((one) => one.startsWith(`FAIL ${name}: `)) ?? '';
    if (reason === undefined) assert.is(told, '', name);
    else assert.match(told, reason, name);
    for (const [, n, what] of counts.matchAll(/(\d+) (passed|failed|skipped)/g))
      sum[what as keyof typeof sum] += Number(n);
  }
  const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : '';
  assert.is(closing, `${sum.passed} passed, ${sum.failed} failed${skipped}`);
  assert.is(stdout.match(/^\d+ passed, \d+ failed/gm)?.length, 1);
  assert.is(status, sum.failed > 0 ? 1 : 0);
}

test.before(() => {
  for (const [root, set] of [
    [quick, traps],
    [slow, endless],
  ] as const) {
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, 'package.json'), '{"type":"module"}');
    // No test file: must not be found.
    writeFileSync(join(root, 'helper.ts'), 'process.exit(1);');
    for (const [name, [source]] of Object.entries(set)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), source);
    }
  }
  mkdirSync(bare);
});
test.after(() => rmSync(folder, { recursive: true }));

test('each trap gets its verdict, and the closing line adds them up', () => {
  const result = run(quick);
  check(traps, result);
  assert.match(result.stdout, /all-skipped\.test\.ts: 1\n {4}SKIP: no data folder/);
  assert.match(result.stdout, /quiet-skip\.test\.ts: 1\n {4}SKIP: no device/);
  assert.match(result.stdout, /on purpose/);
});

test('the time limit ends what never ends, with everything it started', () => {
  // On a busy machine a file may not even have started after 3 s.
  for (const limit of [3, 30]) {
    const result = run(slow, '--limit', `${limit}`, '--jobs', '3');
    const started = result.stderr.match(/1 passed, 1 failed/g)?.length === 2;
    if (!started && limit === 3) continue;
    check(endless, result);
    assert.match(result.stdout, new RegExp(`Slowest:\n +${limit}\\.\\d s {2}\\w`));
    return;
  }
});

test('good files end in code 0 and a closing line without skips', () => {
  const { status, stdout, closing } = run(quick, 'good', 'deep/');
  assert.is(closing, '3 passed, 0 failed');
  assert.ok(stdout.endsWith('3 passed, 0 failed\n'));
  assert.is(status, 0);
});

test('a skip alone is no failure', () => {
  const { status, closing } = run(quick, 'all-skipped');
  assert.is(closing, '0 passed, 0 failed, 1 skipped');
  assert.is(status, 0);
});

test('a pattern that names no file is a failure, also beside one that does', () => {
  for (const [args, expected] of [
    [['nowhere'], '0 passed, 1 failed'],
    [['good', 'nowhere'], '2 passed, 1 failed'],
  ] as const) {
    const { status, stdout, closing } = run(quick, ...args);
    assert.is(closing, expected);
    assert.match(stdout, /FAIL pattern 'nowhere': names no test file/);
    assert.is(status, 1);
  }
});

test('a folder without test files is a failure', () => {
  const { status, closing } = run(bare);
  assert.is(closing, '0 passed, 1 failed');
  assert.is(status, 1);
});

test('--list and --help run nothing', () => {
  const listed = run(quick, '--list');
  assert.equal(listed.stdout.trim().split('\n'), Object.keys(traps).sort());
  assert.is(listed.status, 0);
  assert.is(run(quick, '--list', 'nowhere').status, 1);
  const help = run(quick, '--help');
  assert.match(help.stdout, /^Usage: /);
  assert.is(help.status, 0);
});

test('wrong usage ends in code 2', () => {
  for (const args of [
    ['--limit', 'x'],
    ['--jobs', '0'],
    ['--root', join(bare, 'no-such')],
    ['--what'],
  ])
    assert.is(run(quick, ...args).status, 2, args.join(' '));
});

test.run();
