/** PLDM GetTID inside a session, and silence or a completion code for the rest. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { answerPldm } from '../../../sim/socket/pldm.ts';

const test = suite('pldm');

const rows: readonly [request: string, answer: string | undefined, what: string][] = [
  ['01800002', '010000020000', 'GetTID'],
  ['019f0002', '011f00020000', 'instance 31'],
  ['01800003', '0100000305', 'another command'],
  ['0180020205'.slice(0, 8), '0100020205', 'another type'],
  ['0180000200', '0100000205', 'GetTID with data'],
  ['01000002', undefined, 'a response'],
  ['018000', undefined, 'too short'],
  ['7e800002', undefined, 'another message type'],
  ['', undefined, 'nothing'],
];
for (const [request, answer, what] of rows)
  test(what, () => {
    const given = answerPldm(fromHex(request));
    assert.is(given && toHex(given), answer);
  });

test.run();
