import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { canonicalLine } from '../../../sim/kernel/index.ts';
import { type RunOptions, runScenario } from '../../../sim/scenario/run.ts';
import type { Scenario } from '../../../sim/scenario/schema.ts';
import { profileWith, scenarioWith, storyOf, toRun } from './shipped.ts';

const profile = profileWith();
const run = (scenario: Scenario, more: Partial<RunOptions> = {}) =>
  runScenario({ scenario, profile, crypto: nodeProvider, ...more });

const whole = suite('the shipped scenario');

whole('plays every step without a finding, and every checker looked', () => {
  const summary = run(scenarioWith());
  assert.equal(summary.findings, []);
  assert.is(summary.stepsPlayed, summary.steps);
  assert.is(summary.reason, 'idle');
  for (const checker of summary.checkers) {
    assert.ok(checker.looked > 0, `${checker.name} never looked`);
    assert.equal(checker.violations, []);
  }
  assert.equal(
    summary.tdis.map((tdi) => [tdi.id, tdi.state]),
    [
      ['01:00.0', 'CONFIG_UNLOCKED'],
      ['01:00.1', 'CONFIG_UNLOCKED'],
    ],
  );
});

whole('one seed gives one trace, with either provider; another seed another', () => {
  const first = run(scenarioWith());
  const noble = run(scenarioWith(), { crypto: nobleProvider });
  assert.is(noble.traceHash, first.traceHash);
  assert.is(run(scenarioWith()).traceHash, first.traceHash);
  const other = run(scenarioWith(), { seed: 2 });
  assert.is.not(other.traceHash, first.traceHash);
  assert.equal(other.findings, []);
});

const HANDSHAKE = 'handshake-in-the-clear: false';
/** Devices that speak SPDM another way, and a request code only such a device makes the host send. */
const devices: [name: string, edit: [from: string, to: string], code?: number][] = [
  ['SPDM 1.3', [HANDSHAKE, `versions: ['1.3']\n  ${HANDSHAKE}`]],
  [
    'SPDM 1.4, and a clear handshake',
    [HANDSHAKE, "versions: ['1.4']\n  handshake-in-the-clear: true"],
  ],
  [
    'messages of 128 bytes, and chunks',
    ['data-transfer-size: 4608', 'max-message-size: 8192\n  data-transfer-size: 128'],
    0x85,
  ],
  ['answers that are late', [HANDSHAKE, `not-ready-above: 1ms\n  ${HANDSHAKE}`], 0xff],
];
for (const [name, edit, code] of devices)
  whole(`the story holds with ${name}`, () => {
    const codes = new Set<number>();
    const summary = runScenario({
      scenario: scenarioWith(),
      profile: profileWith(edit),
      crypto: nodeProvider,
      onRecord: (record) => {
        if (record.kind === 'spdm') codes.add(record.data.bytes[1]!);
      },
    });
    assert.equal(summary.findings, []);
    assert.is(summary.stepsPlayed, summary.steps);
    if (code !== undefined) assert.ok(codes.has(code), [...codes].join());
  });

whole('the trace hash is the SHA-256 of the trace lines', () => {
  const hash = createHash('sha256');
  const summary = run(storyOf('enumerate'), {
    onRecord: (record) => hash.update(`${canonicalLine(record)}\n`),
  });
  assert.is(hash.digest('hex'), summary.traceHash);
});

whole('simulated time follows the cost table, not the machine', () => {
  const quick = run(storyOf('enumerate', 'authenticate'));
  const slow = runScenario({
    scenario: storyOf('enumerate', 'authenticate'),
    profile: profileWith(['sign: 2600us', 'sign: 12600us']),
    crypto: nodeProvider,
  });
  // CHALLENGE_AUTH and MEASUREMENTS are signed: two signatures of 10 ms more, seen at the next poll.
  const more = slow.simTimePs - quick.simTimePs;
  assert.ok(more >= 20e9 && more < 20.2e9, `${more} ps more`);
});
whole.run();

const refusals = suite('what must be refused');

refusals('a device that measures otherwise than its vendor published is not taken', () => {
  const tampered = ['tdi: "01:00.1"', 'tdi: "01:00.1"\n  tampered: [{ index: 2, text: evil }]'];
  const summary = run(scenarioWith(tampered as [string, string]));
  assert.is(summary.findings[0]?.step, 'authenticate');
  assert.match(summary.findings[0]!.detail, /measurements 2 differ from the reference/);
  assert.ok(summary.stepsPlayed < summary.steps);
});

refusals('a certificate chain outside its validity is not trusted', () => {
  const summary = run(scenarioWith(['epoch: 1767225600', 'epoch: 1700000000']));
  assert.match(summary.findings[0]!.detail, /CHAIN_NOT_YET_VALID/);
});

const attacks: [name: string, step: string, state: string[]][] = [
  [
    'a bit of a read completion, at the device',
    'flip-bit: { direction: downstream, tlp: completion, bit: 3 }',
    ['expect-state: { stream: Insecure, tdi: ERROR }'],
  ],
  [
    'a bit of the doorbell write, at the device',
    'flip-bit: { direction: downstream, tlp: memory-write, bit: 0 }',
    ['expect-state: { stream: Insecure, tdi: ERROR }'],
  ],
  [
    'a bit of a read request, at the root port',
    'flip-bit: { direction: upstream, tlp: memory-read, bit: 9 }',
    ['expect-state: { stream: Insecure }'],
  ],
];
for (const [name, flip, states] of attacks)
  refusals(`one flipped bit stops the stream: ${name}`, () => {
    const dma = 'dma: { direction: to-device, buffer: private, length: 4KiB, expect: refused }';
    const summary = run(
      storyOf(...toRun, flip, dma, ...states, 'recover', dma.replace('refused', 'ok')),
    );
    assert.equal(summary.findings, []);
  });

refusals('without the flip the same expectation is a finding', () => {
  const dma = 'dma: { direction: to-device, buffer: private, length: 4KiB, expect: refused }';
  const summary = run(storyOf(...toRun, dma));
  assert.match(summary.findings[0]!.detail, /expected refused, but it went through/);
});

const accesses: [step: string, why: RegExp][] = [
  ['mmio: { op: read, by: host, bar: 2, offset: 0 }', /expected ok, but it was refused/],
  ['mmio: { op: write, by: host, bar: 2, offset: 0 }', /expected ok, but it was refused/],
  ['mmio: { op: read, by: guest, bar: 0, offset: 0x1000 }', /no private mapping/],
  ['dma: { direction: from-device, buffer: private, length: 1KiB, by: host }', /was refused/],
  ['host-peek: { region: private, expect: ok }', /expected ok, but it was refused/],
  ['expect-state: { tdi: CONFIG_LOCKED }', /is in RUN, expected CONFIG_LOCKED/],
  ['expect-state: { stream: Insecure }', /is Secure, expected Insecure/],
];
for (const [step, why] of accesses)
  refusals(`in RUN, expected otherwise: ${step}`, () => {
    const summary = run(storyOf(...toRun, step));
    assert.is(summary.findings.length, 1);
    assert.match(summary.findings[0]!.detail, why);
  });

const orders: [steps: string[], why: RegExp][] = [
  [['lock'], /run `enumerate` first/],
  [['enumerate', 'authenticate', 'open-session', 'lock'], /TDISP_INVALID_REQUEST/],
  [toRun.filter((step) => step !== 'check-report').slice(0, 6) as string[], /REPORT_REFUSED/],
  [toRun.filter((step) => step !== 'accept') as string[], /NOT_ACCEPTED/],
  [[...toRun, 'lock'], /TDISP_INVALID_INTERFACE_STATE/],
  [[...toRun, 'start'], /NOT_LOCKED/],
  [['enumerate', 'lock'], /session: open one first/],
  [['enumerate', 'open-session'], /negotiate/],
  [['enumerate', 'secure-link: { stream-id: 1 }'], /session: open one first/],
  [['enumerate', 'tear-down-link'], /stream: prepare one first/],
  [['enumerate', 'end-session'], /session: open one first/],
  [
    [...toRun, 'dma: { direction: to-device, buffer: private, length: 2MiB }'],
    /no memory of the guest's/,
  ],
  [
    [...toRun, 'dma: { direction: to-device, buffer: nowhere, length: 1KiB }'],
    /no memory region "nowhere"; there are shared, private/,
  ],
];
for (const [steps, why] of orders)
  refusals(`out of order: ${steps.at(-1)} after ${steps.length - 1} steps`, () => {
    const summary = run(storyOf(...steps));
    assert.is(summary.findings.length, 1);
    assert.match(summary.findings[0]!.detail, why);
  });
refusals.run();

const limits = suite('limits end a run by name');

limits('of events', () => {
  const summary = run(scenarioWith(['events: 20000000', 'events: 5000']));
  assert.is(summary.reason, 'event-limit');
  assert.match(summary.findings.at(-1)!.detail, /event-limit/);
});

limits('of simulated time', () => {
  const summary = run(scenarioWith(['time: 30s', 'time: 5ms']));
  assert.is(summary.reason, 'time-limit');
  assert.is(summary.simTimePs, 5e9);
});
limits.run();
