/** Key logs: the lines themselves, read back, and every line that is none. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex } from '../../../protocols/codec/bytes.ts';
import type { KeyLogEntry } from '../../../protocols/spdm/party.ts';
import { keyLogLine, keyLogText, readKeyLog } from '../../../sim/sinks/key-log.ts';

const test = suite('key log');

const entries: readonly KeyLogEntry[] = [
  { kind: 'DHE', sessionId: 0xffffffff, secret: fromHex('07c7d240') },
  { kind: 'KEM', sessionId: 0x10, secret: fromHex('00') },
  { kind: 'PSK', sessionId: 0, secret: fromHex('5465737450736b4461746100') },
];
const TEXT = [
  'SPDM_DHE ffffffff 07c7d240\n',
  'SPDM_KEM 00000010 00\n',
  'SPDM_PSK 00000000 5465737450736b4461746100\n',
].join('');

test('is written as it is read', () => {
  assert.is(keyLogText(entries), TEXT);
  assert.is(entries.map(keyLogLine).join(''), TEXT);
  assert.equal(readKeyLog(TEXT), { entries });
  assert.equal(readKeyLog(''), { entries: [] });
});

test('comments, empty lines, capitals and other line ends are fine', () => {
  const text = `# of a run\r\n\r\n  spdm_dhe FFFFFFFF 07C7D240  \r\n${TEXT.slice(27)}`;
  assert.equal(readKeyLog(text).entries, entries);
});

const wrong: readonly string[] = [
  'SPDM_DHE ffffffff',
  'SPDM_DHE ffffffff 0',
  'SPDM_DHE fffffff 00',
  'SPDM_DHE ffffffff 00 00',
  'SPDM_XXX ffffffff 00',
  'DHE_SECRET ffffffff 00',
  'SPDM_DHE ffffffff 0g',
];
for (const line of wrong)
  test(`no entry: ${line}`, () => {
    const { entries: before, fault } = readKeyLog(`${TEXT}\n${line}\n${TEXT}`);
    assert.equal(before, entries);
    assert.is(fault?.line, 5);
    assert.match(fault?.detail ?? '', /SPDM_DHE/);
  });

test.run();
