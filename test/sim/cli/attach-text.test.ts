/** What `attach` prints: verdicts by how much is known of the responder. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attachLines, verdictLine } from '../../../sim/cli/attach-text.ts';
import { coloursOf } from '../../../sim/cli/io.ts';
import { type AttachReport, emptyReport } from '../../../sim/socket/attach-report.ts';

const test = suite('cli attach text');

const plain = coloursOf(false);
const slot = {
  slot: 0,
  digest: '00',
  certificates: [{ subject: 'CN=Leaf', issuer: 'CN=Root', serial: '01' }],
  device: 'A:B:C',
  rootSha256: 'ab',
  keyPairId: null,
  trusted: true,
};
const bare = { ...slot, slot: 255, certificates: [], device: null, rootSha256: null };
const psk = { kind: 'PSK', id: 1, slot: null, heartbeatPeriod: 0, mutual: false } as const;
const report = (over: Partial<AttachReport>): AttachReport => ({
  ...emptyReport('PCI_DOE', false),
  ...over,
});

const verdicts: readonly (readonly [string, Partial<AttachReport>, string])[] = [
  ['nothing proven', {}, 'no findings, not authenticated, no session'],
  [
    'an unknown root',
    { slots: [slot], authenticated: true, sessions: [psk] },
    'no findings, authenticated under an unknown root, session held',
  ],
  [
    'a pinned root',
    { slots: [slot], authenticated: true, pinned: true, sessions: [psk, psk] },
    'no findings, authenticated, 2 sessions held',
  ],
  [
    'a key known beforehand',
    { slots: [bare], authenticated: true },
    'no findings, authenticated by its public key, no session',
  ],
  [
    'findings',
    { steps: [{ name: 'x', outcome: 'refused', code: 'CODE', detail: '' }] },
    '1 findings: CODE',
  ],
];
for (const [name, over, line] of verdicts)
  test(`verdict: ${name}`, () => assert.is(verdictLine(report(over), 'T', plain), `T: ${line}`));

const linesOf = (over: Partial<AttachReport>) => attachLines(report(over), 'T', plain).join('\n');

test('a slot: who vouches for it', () => {
  const unknown = linesOf({ slots: [slot] });
  assert.match(unknown, /Slot 0 consistent, root unknown, A:B:C\n {2}\[0\] CN=Leaf\n/);
  assert.match(unknown, /nobody vouches for this root/);
  assert.match(linesOf({ slots: [slot], pinned: true }), /Slot 0 good, A:B:C/);
  assert.match(linesOf({ slots: [{ ...slot, trusted: false }] }), /Slot 0 not trusted/);
  const key = linesOf({ slots: [bare] });
  assert.match(key, /Slot 255 good, public key\n/);
  assert.not.match(key, /vouches/);
});

test('what a peer put into names does not reach the terminal as it is', () => {
  const evil = 'A\u001b[31mB';
  const certificates = [{ subject: evil, issuer: evil, serial: '01' }];
  const text = linesOf({ slots: [{ ...slot, device: evil, certificates }] });
  assert.not(text.includes('\u001b'));
  assert.is(text.split('31mB').length, 3, 'device and subject are both there');
});

test('measurements, log, endpoint, key pairs, sessions', () => {
  const text = linesOf({
    measurements: [{ index: 1, type: 'ImmutableROM', raw: false, value: 'aa' }],
    measurementsSigned: true,
    measurementLog: [{ index: 1, measurement: 17, type: 'Informational', raw: true, value: 'bb' }],
    endpoint: [{ registry: 'PCI-SIG', vendorId: '0100', subordinates: ['06'] }],
    keyPairs: [
      {
        ...{ id: 1, capabilities: [], usage: ['KeyExUse'], algorithms: ['ECC384'] },
        ...{ algorithmChoices: [], slots: [0, 4] },
      },
    ],
    sessions: [psk, { kind: 'KEM', id: 0xffffffff, slot: 4, heartbeatPeriod: 5, mutual: true }],
  });
  for (const line of [
    'Measurements (1, signed)',
    '      1 ImmutableROM hash aa',
    '      1 into 17: Informational bb',
    'Endpoint PCI-SIG vendor 0100, 06',
    '      1 ECC384; KeyExUse; slots 0, 4',
    '  0x00000001 PSK',
    '  0xffffffff KEM with slot 4, both sides authenticated, heartbeat 5 s',
  ])
    assert.ok(text.split('\n').includes(line), line);
});

test.run();
