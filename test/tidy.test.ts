/** The house rules as tests, and for each rule proof that it can fail. */

import { dirname } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bannedGlobals } from './tidy/globals.ts';
import { folderCycles, importTable, nodeModules, reflectMetadata } from './tidy/imports.ts';
import {
  absolutePaths,
  docComment,
  fileLength,
  functionLength,
  suitesRun,
  unfinished,
} from './tidy/shape.ts';
import { parseSources, type Rule, readTexts, source, type TextFile } from './tidy/tree.ts';

const texts = readTexts(dirname(import.meta.dirname));
const sources = parseSources(texts);

type Made = Readonly<Record<string, string>>;
interface Proof {
  readonly name: string;
  readonly rule: Rule;
  /** made-up files that break nothing */
  readonly good: readonly Made[];
  /** made-up files with all they break */
  readonly bad: readonly (readonly [files: Made, offences: readonly string[]])[];
}

const lines = (count: number) => 'x;\n'.repeat(count);
const mark = (a: string, b: string) => `// ${a}${b}: later`;
const UVU = "import { suite } from 'uvu';";

const proofs: readonly Proof[] = [
  {
    name: 'folders import only what the import table allows',
    rule: importTable,
    good: [
      { 'protocols/spdm/a.ts': "import '../codec/b.ts'; import '@noble/hashes/sha2.js';" },
      { 'devices/host/a.ts': "import '../../protocols/b.ts'; import '../../sim/kernel/c.ts';" },
      { 'sim/campaign/a.ts': "import '../scenario/b.ts'; import '../../devices/c.ts';" },
      { 'sim/cli/main.ts': "import '../report/b.ts'; import '../../protocols/c.ts';" },
      {
        'test/a.test.ts': "import '../sim/cli/main.ts';",
        'bench/a.ts': "import '../sim/sinks/b.ts';",
        'sim/cli/bench.ts': "import '../../bench/a.ts';",
      },
    ],
    bad: [
      [
        { 'protocols/a.ts': "\nimport type { B } from '../devices/b.ts';" },
        ['protocols/a.ts:2 protocols may not import devices/b.ts'],
      ],
      [
        { 'protocols/spdm/a.ts': "export * from '../../sim/kernel/b.ts';" },
        ['protocols/spdm/a.ts:1 protocols may not import sim/kernel/b.ts'],
      ],
      [
        { 'sim/kernel/a.ts': "const b = import('../../protocols/b.ts');" },
        ['sim/kernel/a.ts:1 sim/kernel may not import protocols/b.ts'],
      ],
      [
        { 'devices/a.ts': "type B = import('../sim/faults/b.ts').B;" },
        ['devices/a.ts:1 devices may not import sim/faults/b.ts'],
      ],
      [
        { 'sim/checkers/a.ts': "import '../sinks/b.ts'; import '../../bench/c.ts';" },
        [
          'sim/checkers/a.ts:1 sim/checkers may not import sim/sinks/b.ts',
          'sim/checkers/a.ts:1 sim/checkers may not import bench/c.ts',
        ],
      ],
      [
        { 'sim/cli/a.ts': "import '../../test/b.ts';" },
        ['sim/cli/a.ts:1 sim/cli may not import test/b.ts'],
      ],
      [
        { 'devices/a.ts': "import 'tdisp-sim/scenario';\nimport(where);" },
        [
          'devices/a.ts:1 devices may not import tdisp-sim/scenario',
          'devices/a.ts:2 devices may not import ?',
        ],
      ],
      [{ 'sim/extra/a.ts': '' }, ['sim/extra/a.ts:1 sim/extra is no folder of the import table']],
    ],
  },
  {
    name: 'node modules appear only at the edges',
    rule: nodeModules,
    good: [
      {
        'protocols/crypto/node.ts': "import 'node:crypto';",
        'sim/sinks/a.ts': "import 'node:fs';",
      },
      { 'protocols/crypto/a.ts': "import '@noble/ciphers/aes.js'; import './node.ts';" },
    ],
    bad: [
      [{ 'devices/a.ts': "import 'node:fs';" }, ['devices/a.ts:1 may not import node:fs']],
      [
        { 'sim/report/a.ts': "import { readFileSync } from 'fs';" },
        ['sim/report/a.ts:1 may not import fs'],
      ],
      [
        { 'protocols/crypto/nodes.ts': "import type { X } from 'node:crypto';" },
        ['protocols/crypto/nodes.ts:1 may not import node:crypto'],
      ],
    ],
  },
  {
    name: 'reflect-metadata is imported in one source file',
    rule: reflectMetadata,
    good: [
      { 'protocols/x509/a.ts': "import 'reflect-metadata'; import '@peculiar/x509';" },
      { 'protocols/a.ts': '', 'test/a.test.ts': "import 'reflect-metadata';" },
    ],
    bad: [
      [
        {
          'protocols/a.ts': "import 'reflect-metadata';",
          'sim/cli/b.ts': "import 'reflect-metadata';",
        },
        ['protocols/a.ts:1 one of 2 imports', 'sim/cli/b.ts:1 one of 2 imports'],
      ],
      [
        { 'protocols/a.ts': "import { X } from '@peculiar/x509';" },
        ['protocols/a.ts:1 needs reflect-metadata, none imports it'],
      ],
    ],
  },
  {
    name: 'no two folders import each other',
    rule: folderCycles,
    good: [
      {
        'protocols/spdm/a.ts': "import '../codec/b.ts';",
        'protocols/ide/a.ts': "import '../codec/b.ts';",
      },
      { 'protocols/spdm/a.ts': "import './b.ts';", 'protocols/spdm/b.ts': "import './a.ts';" },
    ],
    bad: [
      [
        {
          'protocols/spdm/a.ts': "import '../ide/b.ts';",
          'protocols/ide/b.ts': "import '../tdisp/c.ts';",
          'protocols/tdisp/c.ts': "import type { A } from '../spdm/a.ts';",
          'protocols/doe/d.ts': "import '../spdm/a.ts';",
        },
        [
          'protocols/spdm/a.ts:1 protocols/spdm imports protocols/ide, which leads back to it',
          'protocols/ide/b.ts:1 protocols/ide imports protocols/tdisp, which leads back to it',
          'protocols/tdisp/c.ts:1 protocols/tdisp imports protocols/spdm, which leads back to it',
        ],
      ],
    ],
  },
  {
    name: 'engines, kernel, devices and judges use no banned global',
    rule: bannedGlobals,
    good: [
      {
        'protocols/a.ts':
          'export function f(crypto: X) { return crypto.hash(process); } const process = 1;',
      },
      {
        'protocols/a.ts':
          "import { Buffer } from './b.ts'; export const x = Buffer.of(y.Date, { process: 1 });",
      },
      {
        'devices/a.ts':
          'interface A { readonly process: number; setTimeout(): void } const { self: a } = b;',
      },
      { 'protocols/crypto/node.ts': 'Buffer.from(x);', 'sim/cli/a.ts': 'console.log(Date.now());' },
      { 'sim/kernel/a.ts': 'Math.floor(1); export const async = 1; // Date.now()' },
    ],
    bad: [
      [
        {
          'sim/kernel/a.ts':
            'Date.now();\nMath.random();\nconst { random } = Math;\nMath["random"]();',
        },
        [
          'sim/kernel/a.ts:1 uses Date',
          'sim/kernel/a.ts:2 uses Math.random',
          'sim/kernel/a.ts:3 uses Math.random',
          'sim/kernel/a.ts:4 uses Math.random',
        ],
      ],
      [
        {
          'protocols/a.ts':
            'export async function f() {\n await g();\n for await (const x of y) {}\n}',
        },
        [
          'protocols/a.ts:1 uses async',
          'protocols/a.ts:2 uses await',
          'protocols/a.ts:3 uses for await',
        ],
      ],
      [
        {
          'devices/a.ts':
            'function f(crypto: X) {}\ncrypto.subtle;\nglobalThis.x;\nexport const y = { process };',
        },
        [
          'devices/a.ts:2 uses crypto',
          'devices/a.ts:3 uses globalThis',
          'devices/a.ts:4 uses process',
        ],
      ],
      [
        { 'sim/scenario/a.ts': 'let x: Promise<void>;\nsetTimeout(y);\nimport("z");' },
        [
          'sim/scenario/a.ts:1 uses Promise',
          'sim/scenario/a.ts:2 uses setTimeout',
          'sim/scenario/a.ts:3 uses import()',
        ],
      ],
      [
        {
          'protocols/crypto/node.ts': 'console.log(1);',
          'protocols/crypto/b.ts': 'Buffer.from(x);',
        },
        ['protocols/crypto/node.ts:1 uses console', 'protocols/crypto/b.ts:1 uses Buffer'],
      ],
    ],
  },
  {
    name: 'files have at most 400 lines',
    rule: fileLength,
    good: [{ 'sim/a.ts': lines(400) }],
    bad: [[{ 'sim/a.ts': lines(401) }, ['sim/a.ts:401 has 401 lines, at most 400']]],
  },
  {
    name: 'functions have at most 70 lines',
    rule: functionLength,
    good: [{ 'sim/a.ts': `${lines(5)}function f() {\n${lines(68)}}\n${lines(90)}` }],
    bad: [
      [
        { 'sim/a.ts': `\nfunction f() {\n${lines(69)}}` },
        ['sim/a.ts:2 f has 71 lines, at most 70'],
      ],
      [
        { 'sim/a.ts': `class A { m() {\n${lines(80)}} }; g(() => {\n${lines(80)}});` },
        ['sim/a.ts:1 m has 82 lines, at most 70', 'sim/a.ts:82 function has 82 lines, at most 70'],
      ],
    ],
  },
  {
    name: 'source files start with a doc comment',
    rule: docComment,
    good: [
      {
        'sim/a.ts': '/** A. */',
        'sim/cli/b.ts': '#!/usr/bin/env node\n/** B. */',
        'test/c.ts': '',
      },
    ],
    bad: [
      [
        { 'sim/a.ts': '// A\n', 'devices/b.ts': '\n/** B. */' },
        [
          'sim/a.ts:1 does not start with a doc comment',
          'devices/b.ts:1 does not start with a doc comment',
        ],
      ],
    ],
  },
  {
    name: 'no mark of unfinished work is left',
    rule: unfinished,
    good: [{ 'sim/a.ts': '// all done; mastodon' }],
    bad: [
      [
        { 'sim/a.ts': `\n${mark('TO', 'DO')}\n${mark('FIX', 'ME')}`, 'test/b.ts': mark('XX', 'X') },
        [`sim/a.ts:2 ${'TO'}DO`, `sim/a.ts:3 ${'FIX'}ME`, `test/b.ts:1 ${'XX'}X`],
      ],
    ],
  },
  {
    name: 'test files run every suite they make, and all of its tests',
    rule: suitesRun,
    good: [
      { 'test/a.test.ts': `${UVU} const test = suite('a'); test('x', f); test.run();` },
      { 'test/a.test.ts': "import { test } from 'uvu'; test.run();", 'test/helper.ts': '' },
    ],
    bad: [
      [
        { 'test/a.test.ts': `${UVU} const test = suite('a');` },
        ['test/a.test.ts:1 test.run() is missing'],
      ],
      [
        {
          'test/a.test.ts': `${UVU} const a = suite('a'); const b = suite('b'); a.run(); a.run();`,
        },
        ['test/a.test.ts:1 b.run() is missing'],
      ],
      [{ 'test/a.test.ts': '// test.run()' }, ['test/a.test.ts:1 holds no suite']],
      [
        { 'test/a.test.ts': `${UVU} const test = suite('a');\ntest.only('x', f);\ntest.run();` },
        ['test/a.test.ts:2 test.only'],
      ],
    ],
  },
];

const made = (files: Made) => Object.entries(files).map(([path, text]) => source(path, text));

const house = suite('house rules');
for (const { name, rule } of proofs)
  house(name, () => {
    const broken = rule(sources);
    assert.is(broken.length, 0, `\n${broken.join('\n')}`);
  });
house('no absolute path of one machine', () => {
  const broken = absolutePaths(texts);
  assert.is(broken.length, 0, `\n${broken.join('\n')}`);
});
house('the rules saw the repository', () => {
  for (const path of ['protocols/codec/layout.ts', 'test/tidy.test.ts', 'test/tidy/tree.ts'])
    assert.ok(
      sources.some((file) => file.path === path),
      path,
    );
  for (const path of ['package.json', '.ci/run', 'CONTRIBUTING.md'])
    assert.ok(
      texts.some((file) => file.path === path),
      path,
    );
});
house.run();

const canFail = suite('every rule can fail');
for (const { name, rule, good, bad } of proofs)
  canFail(name, () => {
    for (const files of good) assert.equal(rule(made(files)), [], Object.keys(files).join(' '));
    for (const [files, offences] of bad) assert.equal(rule(made(files)), offences);
  });
canFail('no absolute path of one machine', () => {
  // A tilde stands for the slash here, so that this file passes its own rule.
  const good = ['see example.org/home/page and ./tmp/x, a/home/b', 'DW/root port', '/home-made'];
  const bad = ['~work/main', "'~tmp'", '(~home/me', 'cd ~Users/me', 'x=~root/a'];
  const file = (text: string): TextFile => ({ path: 'a.md', text: text.replaceAll('~', '/') });
  for (const text of good) assert.equal(absolutePaths([file(text)]), [], text);
  for (const text of bad) assert.is(absolutePaths([file(`\n${text}`)]).length, 1, text);
});
canFail.run();
