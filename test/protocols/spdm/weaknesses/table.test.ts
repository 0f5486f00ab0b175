/**
 * Every known weakness and fault of SPDM that is tested here by its name, and where: public ones by their
 * advisory or issue, faults by their row in the list of scenarios. The list stays true: each file named
 * has a test of that name, and no name stands in a test without its row.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('spdm weaknesses: table');
const ROOT = fileURLToPath(new URL('..', import.meta.url));

const rows: Readonly<Record<string, readonly string[]>> = {
  'CVE-2023-31127': ['psk.test.ts', 'responder/encapsulated.test.ts'],
  'CVE-2023-32690': ['weaknesses/negotiation.test.ts'],
  'GHSA-j54w-759w-xj3m': ['responder/csr.test.ts'],
  'GHSA-m4wc-xmvg-369f': ['responder/extension-log.test.ts'],
  'libspdm#1337': ['weaknesses/sessions.test.ts'],
  'libspdm#2081': ['weaknesses/sessions.test.ts'],
  'libspdm#3598': ['weaknesses/transfers.test.ts'],
  'libspdm#3664': ['weaknesses/transfers.test.ts'],
  'libspdm#3762': ['weaknesses/transfers.test.ts'],
  'spdm-rs#371': ['weaknesses/sessions.test.ts'],
  'rust-spdm#14': ['weaknesses/identity.test.ts', 'weaknesses/transfers.test.ts'],
  'caliptra-sw#3953': ['weaknesses/sessions.test.ts'],
  'caliptra-mcu-sw#1922': ['weaknesses/sessions.test.ts'],
  'F-S01': [
    'responder/mutations.test.ts',
    'responder/mutations-newer.test.ts',
    'responder/provisioning-mutations.test.ts',
    'requester/mutations.test.ts',
    'requester/mutations-newer.test.ts',
  ],
  'F-S02': ['weaknesses/negotiation.test.ts'],
  'F-S03': ['weaknesses/negotiation.test.ts'],
  'F-S04': ['weaknesses/negotiation.test.ts'],
  'F-S05': ['weaknesses/negotiation.test.ts'],
  'F-S06': ['weaknesses/identity.test.ts', 'evidence/challenge.test.ts'],
  'F-S07': ['weaknesses/identity.test.ts', 'responder/set-certificate-judged.test.ts'],
  'F-S08': ['weaknesses/identity.test.ts', 'responder/extension-log.test.ts'],
  'F-S09': ['psk.test.ts'],
  'F-S10': ['responder/encapsulated.test.ts'],
  'F-S11': ['weaknesses/sessions.test.ts'],
  'F-S12': ['weaknesses/sessions.test.ts', 'psk.test.ts'],
  'F-S13': ['session-life.test.ts', 'psk.test.ts'],
  'F-S14': ['deferred.test.ts', 'weaknesses/transfers.test.ts'],
  'F-S15': ['deferred.test.ts'],
  'F-S16': ['chunks.test.ts', 'weaknesses/transfers.test.ts'],
  'F-S17': ['session-life.test.ts'],
  'F-S18': ['aead-limit.test.ts'],
  'F-S19': ['key-update.test.ts'],
  'F-S20': ['session-life.test.ts'],
  'F-S21': ['session-life.test.ts', 'weaknesses/sessions.test.ts'],
  'F-S22': ['weaknesses/identity.test.ts'],
  'F-S23': ['weaknesses/sessions.test.ts'],
  'F-S24': ['session-life.test.ts', 'weaknesses/sessions.test.ts'],
};

/** Ids in the names of a file's tests. */
function idsIn(file: string): Set<string> {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const names = text.matchAll(/\btest\(\s*(['`])([\s\S]*?)\1/g);
  const ids = [...names].flatMap(([, , name]) => [
    ...name!.matchAll(/CVE-[\d-]+\d|GHSA-[a-z0-9-]+|F-S\d\d|[a-z-]+#\d+/g),
  ]);
  return new Set(ids.map(([id]) => id));
}

for (const [id, files] of Object.entries(rows))
  test(id, () => {
    assert.ok(files.length > 0);
    for (const file of files) assert.ok(idsIn(file).has(id), `a test of ${file} bears ${id}`);
  });

test('every id of a test has its row', () => {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name !== 'weaknesses/table.test.ts');
  for (const file of files)
    for (const id of idsIn(file)) assert.ok(rows[id]?.includes(file), `${id} in ${file}`);
});

test('the rows F-S01 to F-S24 are all there', () => {
  const wanted = Array.from({ length: 24 }, (_, i) => `F-S${String(i + 1).padStart(2, '0')}`);
  assert.equal(
    Object.keys(rows).filter((id) => id.startsWith('F-S')),
    wanted,
  );
});

test.run();
