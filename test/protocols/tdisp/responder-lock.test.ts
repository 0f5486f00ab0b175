/** Who owns a TDI, what a lock needs, and the life of its nonce. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  encodeTdisp,
  LockFlags,
  lockInterface,
  TdispRequests as Q,
  startInterface,
  stopInterface,
  type TdispDevice,
  TdispErrors,
  type TdispVerdict,
} from '../../../protocols/tdisp/index.ts';
import {
  codeOf,
  F0,
  F1,
  FACTS,
  FullDevice,
  good,
  LOCK,
  OTHER_SESSION,
  PlainDevice,
  responderOf,
  run,
  SESSION,
} from './device.ts';
import { reach, request, said } from './requests.ts';

const I = 'INVALID_INTERFACE_STATE';
const test = suite('tdisp responder: owners, lock and nonce');

test('a session that ends takes its TDIs to ERROR and leaves them to the next session', () => {
  const { r } = responderOf(new PlainDevice());
  good(run(lockInterface(F0, LOCK), r));
  good(run(lockInterface(F1, LOCK), r, OTHER_SESSION));
  const [effect, ...more] = r.event({ sessionId: SESSION }, 'session-ended');
  assert.equal(more, []);
  assert.is(effect?.functionId, F0);
  assert.is(r.state(F0), 'ERROR');
  assert.is(r.state(F1), 'CONFIG_LOCKED');
  good(run(stopInterface(F0), r, OTHER_SESSION));
  assert.is(r.state(F0), 'CONFIG_UNLOCKED');
});

test('a session that ends after ERROR still gives up ownership', () => {
  const { r } = responderOf(new PlainDevice());
  reach(r, 'ERROR');
  assert.is(said(r, request('STOP_INTERFACE_REQUEST', new Uint8Array(32)), OTHER_SESSION), I);
  assert.equal(r.event('all', 'session-ended'), []);
  assert.is(said(r, request('STOP_INTERFACE_REQUEST', new Uint8Array(32)), OTHER_SESSION), 'ok');
});

test('a stream that goes Insecure takes down the TDIs on it, P2P included, and no others', () => {
  const { r } = responderOf(new FullDevice());
  const nonce = good(run(lockInterface(F0, { ...LOCK, flags: LockFlags.BIND_P2P }), r));
  good(run(startInterface(F0, nonce), r));
  good(run(lockInterface(F1, { ...LOCK, defaultStreamId: 8 }), r));
  assert.equal(r.event({ streamId: 9 }, 'stream-insecure'), []);
  assert.is(said(r, request('BIND_P2P_STREAM_REQUEST', nonce)), 'ok');
  assert.equal(r.view(F0)?.p2pStreams, [9]);
  assert.is(r.event({ streamId: 9 }, 'stream-insecure').length, 1);
  assert.equal(r.view(F0)?.p2pStreams, []);
  assert.equal([r.state(F0), r.state(F1)], ['ERROR', 'CONFIG_LOCKED']);
  assert.is(r.event({ streamId: 8 }, 'stream-insecure').length, 1);
  assert.is(r.state(F1), 'ERROR');
});

test('lock: what the device objects to is passed on, and nothing is remembered', () => {
  const verdicts: readonly [TdispVerdict, string][] = [
    [TdispErrors.INVALID_REQUEST, 'INVALID_REQUEST'],
    [TdispErrors.INVALID_DEVICE_CONFIGURATION, 'INVALID_DEVICE_CONFIGURATION'],
    [TdispErrors.UNSPECIFIED, 'UNSPECIFIED'],
  ];
  for (const [verdict, name] of verdicts) {
    const { device, r } = responderOf(new PlainDevice());
    device.lockVerdict = verdict;
    assert.is(said(r, request('LOCK_INTERFACE_REQUEST', new Uint8Array(32))), name);
    assert.is(r.state(F0), 'CONFIG_UNLOCKED');
    assert.is(r.view(F0)?.lock, undefined);
    assert.is(device.draws, 0);
  }
});

test('lock: the device hears which function, session and stream; the effect says so too', () => {
  const heard: unknown[] = [];
  class Listening extends PlainDevice {
    override checkLock(...asked: Parameters<TdispDevice['checkLock']>): TdispVerdict {
      heard.push(asked);
      return undefined;
    }
  }
  const { r } = responderOf(new Listening());
  const outcome = r.handle(request('LOCK_INTERFACE_REQUEST', new Uint8Array(32)), SESSION);
  const asked = { ...LOCK, flags: LockFlags.BIND_P2P };
  assert.equal(heard, [[F0, asked, SESSION]]);
  assert.equal(outcome.effects[1], {
    type: 'tdi-locked',
    functionId: F0,
    sessionId: SESSION,
    request: asked,
  });
  assert.equal(outcome.work, [
    { op: 'message', bytes: 36 },
    { op: 'random', bytes: 32 },
    { op: 'lock' },
  ]);
});

test('nonce: drawn per lock, single use, gone with the lock', () => {
  const { device, r } = responderOf(new PlainDevice());
  const first = good(run(lockInterface(F0, LOCK), r));
  assert.is(toHex(first), '01'.repeat(32));
  const wrong = first.slice();
  wrong[31] = wrong[31]! ^ 1;
  assert.is(codeOf(run(startInterface(F0, wrong), r)), 'TDISP_INVALID_NONCE');
  assert.is(codeOf(run(startInterface(F0, new Uint8Array(32)), r)), 'TDISP_INVALID_NONCE');
  assert.is(r.state(F0), 'CONFIG_LOCKED');
  assert.is(run(startInterface(F0, first), r), true, 'a wrong guess does not use it up');
  assert.is(codeOf(run(startInterface(F0, first), r)), 'TDISP_INVALID_INTERFACE_STATE');
  good(run(stopInterface(F0), r));
  const second = good(run(lockInterface(F0, LOCK), r));
  assert.is(device.draws, 2);
  assert.is.not(toHex(second), toHex(first));
  assert.is(codeOf(run(startInterface(F0, first), r)), 'TDISP_INVALID_NONCE', 'of a lock before');
  const other = good(run(lockInterface(F1, LOCK), r));
  assert.is(codeOf(run(startInterface(F0, other), r)), 'TDISP_INVALID_NONCE', 'of another TDI');
  assert.is(run(startInterface(F0, second), r), true);
});

test('nonce: the device’s copy and the peer’s answer are not the one kept', () => {
  const own = new Uint8Array(32).fill(9);
  class Sharing extends PlainDevice {
    override random(): Uint8Array {
      return own;
    }
  }
  const { r } = responderOf(new Sharing());
  good(run(lockInterface(F0, LOCK), r)).fill(0);
  own.fill(0);
  assert.is(codeOf(run(startInterface(F0, own), r)), 'TDISP_INVALID_NONCE');
  assert.is(run(startInterface(F0, new Uint8Array(32).fill(9)), r), true);
});

test('nonce: destroyed by STOP, by ERROR and by START', () => {
  for (const leave of ['stop', 'error', 'start'] as const) {
    const { r } = responderOf(new PlainDevice());
    const nonce = good(run(lockInterface(F0, LOCK), r));
    const kept = (r.view(F0) as unknown as { nonce: Uint8Array | undefined }).nonce;
    assert.is(toHex(kept!), toHex(nonce));
    if (leave === 'stop') good(run(stopInterface(F0), r));
    if (leave === 'error') r.event(F0, 'poisoned-data');
    if (leave === 'start') good(run(startInterface(F0, nonce), r));
    assert.is((r.view(F0) as unknown as { nonce: unknown }).nonce, undefined, leave);
    assert.is(toHex(kept!), '00'.repeat(32), leave);
  }
});

test('no entropy: INSUFFICIENT_ENTROPY, still unlocked; a short draw is the device’s mistake', () => {
  const { device, r } = responderOf(new PlainDevice());
  device.entropy = false;
  assert.is(codeOf(run(lockInterface(F0, LOCK), r)), 'TDISP_INSUFFICIENT_ENTROPY');
  assert.is(r.view(F0)?.lock, undefined);
  assert.is(r.state(F0), 'CONFIG_UNLOCKED');
  class Short extends PlainDevice {
    override random(): Uint8Array {
      return new Uint8Array(31);
    }
  }
  const { r: short } = responderOf(new Short());
  assert.throws(
    () => run(lockInterface(F0, LOCK), short),
    (e: Error) => e instanceof LocalError,
  );
  assert.is(short.state(F0), 'CONFIG_UNLOCKED');
});

// FLAGS, flags supported, offset, P2P mask, answer
const locks: readonly [string, number, number, bigint, bigint, string][] = [
  ['all flags', 0x1f, 0x1f, 0n, 0n, 'ok'],
  ['reserved flag', 0x20, 0x1f, 0n, 0n, 'INVALID_REQUEST'],
  ['reserved flag the device thinks it supports', 0x8000, 0xffff, 0n, 0n, 'INVALID_REQUEST'],
  ['flag not advertised', 0x04, 0x1b, 0n, 0n, 'INVALID_REQUEST'],
  ['offset not aligned', 0, 0x1f, 0x800n, 0n, 'INVALID_REQUEST'],
  ['largest offset', 0, 0x1f, (1n << 64n) - 4096n, 0n, 'ok'],
  ['P2P mask as wide as addresses', 0x08, 0x1f, 0n, (1n << 52n) - 1n, 'ok'],
  ['P2P mask wider than addresses', 0x08, 0x1f, 0n, 1n << 52n, 'INVALID_REQUEST'],
  ['P2P mask without P2P', 0, 0x1f, 0n, 1n << 52n, 'ok'],
];
for (const [name, FLAGS, lockFlagsSupported, offset, mask, expected] of locks)
  test(`lock content: ${name}`, () => {
    const { device, r } = responderOf(new PlainDevice());
    device.capabilities = { ...device.capabilities, lockFlagsSupported };
    const body = {
      FLAGS,
      DEFAULT_STREAM_ID: 7,
      MMIO_REPORTING_OFFSET: offset,
      BIND_P2P_ADDRESS_MASK: mask,
    };
    assert.is(said(r, encodeTdisp(Q.LOCK_INTERFACE_REQUEST, F0, body)), expected);
    assert.is(r.state(F0), expected === 'ok' ? 'CONFIG_LOCKED' : 'CONFIG_UNLOCKED');
  });

test('BARs the host left in a mess: INVALID_DEVICE_CONFIGURATION, never a throw', () => {
  const { device, r } = responderOf(new PlainDevice());
  const [one] = FACTS.ranges;
  for (const ranges of [[{ ...one!, address: 0x800n }], [one!, { ...one!, barIndex: 1 }]]) {
    device.facts = { ...FACTS, ranges };
    const code = codeOf(run(lockInterface(F0, LOCK), r));
    assert.is(code, 'TDISP_INVALID_DEVICE_CONFIGURATION');
    assert.is(r.state(F0), 'CONFIG_UNLOCKED');
  }
});

test.run();
