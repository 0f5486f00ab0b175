/** Legality, check order, error codes and sessions; ownership and content have their own file. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  decodeTdisp,
  encodeTdisp,
  getInterfaceState,
  LockFlags,
  TdispRequests as Q,
  stopInterface,
  type TdiState,
  TdiStates,
  type TdispRequestName,
  tdiEventNames,
  tdiStates,
} from '../../../protocols/tdisp/index.ts';
import {
  bytesOf,
  F0,
  F1,
  FullDevice,
  good,
  OTHER_SESSION,
  PlainDevice,
  responderOf,
  run,
  SESSION,
} from './device.ts';
import { reach, request, said } from './requests.ts';

const test = suite('tdisp responder');

const I = 'INVALID_INTERFACE_STATE';
// answers in CONFIG_UNLOCKED, CONFIG_LOCKED, RUN, ERROR; where `ok` moves the state, the state it moves to
type Cell = 'ok' | 'INVALID_INTERFACE_STATE' | 'UNSUPPORTED_REQUEST 8c' | TdiState;
const legality: readonly [TdispRequestName, Cell, Cell, Cell, Cell][] = [
  ['GET_TDISP_VERSION', 'ok', 'ok', 'ok', 'ok'],
  ['GET_TDISP_CAPABILITIES', 'ok', 'ok', 'ok', 'ok'],
  ['LOCK_INTERFACE_REQUEST', 'CONFIG_LOCKED', I, I, I],
  ['GET_DEVICE_INTERFACE_REPORT', I, 'ok', 'ok', I],
  ['GET_DEVICE_INTERFACE_STATE', 'ok', 'ok', 'ok', 'ok'],
  ['START_INTERFACE_REQUEST', I, 'RUN', I, I],
  ['STOP_INTERFACE_REQUEST', 'ok', 'CONFIG_UNLOCKED', 'CONFIG_UNLOCKED', 'CONFIG_UNLOCKED'],
  ['BIND_P2P_STREAM_REQUEST', I, I, 'ok', I],
  ['SET_MMIO_ATTRIBUTE_REQUEST', I, I, 'ok', I],
  ['VDM_REQUEST', 'ok', 'ok', 'ok', 'ok'],
  [
    'SET_TDISP_CONFIG_REQUEST',
    'UNSUPPORTED_REQUEST 8c',
    'UNSUPPORTED_REQUEST 8c',
    'UNSUPPORTED_REQUEST 8c',
    'UNSUPPORTED_REQUEST 8c',
  ],
];
for (const [name, ...cells] of legality)
  for (const [i, state] of tdiStates.entries())
    test(`${name} in ${state}`, () => {
      const { r } = responderOf(new FullDevice());
      const nonce = reach(r, state, LockFlags.BIND_P2P);
      const cell = cells[i]!;
      const moves = (tdiStates as readonly string[]).includes(cell);
      const outcome = r.handle(request(name, nonce), SESSION);
      const answer = decodeTdisp(bytesOf(outcome));
      assert.ok(answer.ok);
      const isError = answer.ok && answer.value.name === 'TDISP_ERROR';
      assert.is(isError, cell.includes('_STATE') || cell.includes('UNSUPPORTED'));
      assert.is(r.state(F0), moves ? (cell as TdiState) : state);
      const effect = { type: 'tdi-state', functionId: F0, from: state, to: cell, cause: name };
      const moved = outcome.effects.filter((e) => e.type === 'tdi-state');
      assert.equal(moved, moves ? [effect] : []);
      if (isError) assert.equal(outcome.effects, []);
      assert.is(r.state(F1), 'CONFIG_UNLOCKED');
      const again = responderOf(new FullDevice());
      const answerText = said(again.r, request(name, reach(again.r, state, LockFlags.BIND_P2P)));
      assert.is(answerText, moves ? 'ok' : cell);
    });

test('UNBIND_P2P_STREAM_REQUEST: RUN only', () => {
  for (const state of tdiStates) {
    const { r } = responderOf(new FullDevice());
    reach(r, state, LockFlags.BIND_P2P);
    if (state === 'RUN') r.handle(request('BIND_P2P_STREAM_REQUEST', new Uint8Array(32)), SESSION);
    const answer = said(r, request('UNBIND_P2P_STREAM_REQUEST', new Uint8Array(32)));
    assert.is(answer, state === 'RUN' ? 'ok' : I);
    assert.is(r.state(F0), state);
  }
});

test('unknown codes, and responses sent as requests: UNSUPPORTED_REQUEST with the code, in every state', () => {
  const known = new Set<number>(Object.values(Q));
  for (const state of tdiStates) {
    const { r } = responderOf(new FullDevice());
    reach(r, state);
    for (let code = 0; code < 256; code++) {
      if (known.has(code)) continue;
      const answer = said(
        r,
        fromHex(`10 ${code.toString(16).padStart(2, '0')} 0000 00010000 ${'00'.repeat(8)}`),
      );
      assert.is(answer, `UNSUPPORTED_REQUEST${code === 0 ? '' : ` ${code.toString(16)}`}`);
    }
    assert.is(r.state(F0), state);
  }
});

test('a device without the optional messages says UNSUPPORTED_REQUEST in every state', () => {
  for (const state of tdiStates) {
    const { r } = responderOf(new PlainDevice());
    reach(r, state);
    for (const name of [
      'BIND_P2P_STREAM_REQUEST',
      'UNBIND_P2P_STREAM_REQUEST',
      'SET_MMIO_ATTRIBUTE_REQUEST',
      'VDM_REQUEST',
    ] as const)
      assert.is(
        said(r, request(name, new Uint8Array(32))),
        `UNSUPPORTED_REQUEST ${Q[name].toString(16)}`,
      );
  }
});

test('every event in every state moves as the table says, and tells so', () => {
  for (const state of tdiStates)
    for (const event of tdiEventNames) {
      const { r } = responderOf(new PlainDevice());
      reach(r, state, LockFlags.LOCK_MSIX);
      const effects = r.event(F0, event);
      const to = r.state(F0);
      const expected =
        to === state ? [] : [{ type: 'tdi-state', functionId: F0, from: state, to, cause: event }];
      assert.equal(effects, expected, `${event} in ${state}`);
      const polled = good(run(getInterfaceState(F0), r, OTHER_SESSION));
      assert.is(TdiStates[polled], TdiStates[to]);
    }
});

test('an event without LOCK_MSIX leaves MSI-X alone; an unknown event is our own mistake', () => {
  const { r } = responderOf(new PlainDevice());
  reach(r, 'RUN');
  assert.equal(r.event('all', 'msix-changed-while-locked'), []);
  assert.is(r.state(F0), 'RUN');
  for (const name of ['coffee-spilt', 'toString', '__proto__'])
    assert.throws(
      () => r.event(F0, name as never),
      (e: Error) => e instanceof LocalError,
    );
});

test('check order: code, size, version, interface, busy, state, content', () => {
  const { device, r } = responderOf(new PlainDevice());
  const lock = request('LOCK_INTERFACE_REQUEST', new Uint8Array(32));
  reach(r, 'CONFIG_LOCKED');
  // Everything wrong at once, then one thing after the other put right.
  const bad = concat(lock, Uint8Array.of(0));
  bad.set([0x20, 0x8d], 0);
  bad.set([0xff, 0xff, 0xff, 0xff], 4);
  bad[16] = 0xff;
  bad[17] = 0xff;
  device.pending = new Map([[F0, 1]]);
  assert.is(said(r, bad), 'UNSUPPORTED_REQUEST 8d');
  bad[1] = Q.LOCK_INTERFACE_REQUEST;
  assert.is(said(r, bad), 'INVALID_REQUEST');
  const sized = bad.slice(0, 36);
  assert.is(said(r, sized), 'VERSION_MISMATCH');
  sized[0] = 0x10;
  assert.is(said(r, sized), 'INVALID_INTERFACE');
  sized.set([0x00, 0x01, 0x00, 0x00], 4);
  assert.is(said(r, sized), 'BUSY');
  device.pending = new Map();
  assert.is(said(r, sized), I);
  good(run(stopInterface(F0), r));
  assert.is(said(r, sized), 'INVALID_REQUEST');
  sized.set([0, 0], 16);
  assert.is(said(r, sized), 'ok');
});

test('the answer echoes FUNCTION_ID and speaks 1.0, also when it refuses', () => {
  const { r } = responderOf(new PlainDevice());
  const reply = (hex: string) => toHex(bytesOf(r.handle(fromHex(hex), SESSION)));
  assert.is(
    reply('10 81 0000 00010001 0000000000000000'),
    `10010000${'00010001'}${'00'.repeat(8)}0110`,
  );
  assert.is(
    reply('11 81 0000 00010000 0000000000000000'),
    `107f0000${'00010000'}${'00'.repeat(8)}4100000000000000`,
  );
  assert.is(
    reply('10 81 0000 78563412 0000000000000000'),
    `107f0000${'78563412'}${'00'.repeat(8)}0101000000000000`,
  );
  assert.is(reply('10 81 0000 0001'), `107f0000${'00'.repeat(12)}0100000000000000`);
  assert.is(reply(''), `107f0000${'00'.repeat(12)}0100000000000000`);
  // reserved bytes are ignored when read and zero when written
  assert.is(
    reply('10 85 abcd 00010000 1122334455667788'),
    `10050000${'00010000'}${'00'.repeat(8)}00`,
  );
});

test('every size but the right one is INVALID_REQUEST', () => {
  const { r } = responderOf(new FullDevice());
  for (const name of Object.keys(Q) as TdispRequestName[]) {
    if (name === 'VDM_REQUEST' || name === 'SET_TDISP_CONFIG_REQUEST') continue;
    const whole = request(name, new Uint8Array(32));
    for (let size = 0; size < whole.length; size++)
      assert.is(said(r, whole.slice(0, size)), 'INVALID_REQUEST', `${name} ${size}`);
    assert.is(said(r, concat(whole, Uint8Array.of(0))), 'INVALID_REQUEST', name);
  }
  assert.is(r.state(F0), 'CONFIG_UNLOCKED');
});

test('interfaces: unknown, reserved bits, segment; functions that come and go', () => {
  const { device, r } = responderOf(new PlainDevice());
  const ask = (word: number) => said(r, encodeTdisp(Q.GET_DEVICE_INTERFACE_STATE, word, {}));
  assert.is(ask(0x0102), 'INVALID_INTERFACE');
  assert.is(ask(0x02000100), 'INVALID_INTERFACE');
  assert.is(ask(0x00010100), 'INVALID_INTERFACE');
  assert.is(ask(0x01010100), 'INVALID_INTERFACE');
  assert.is(ask(0x01000100), 'ok');
  device.functions = [F0, 0x0102, 0x01050103];
  assert.is(ask(F1), 'INVALID_INTERFACE');
  assert.is(ask(0x0102), 'ok');
  assert.is(ask(0x01050103), 'ok');
  assert.is(ask(0x0103), 'INVALID_INTERFACE');
});

test('outside a session: SPDM UnexpectedRequest, whatever the bytes', () => {
  const { r } = responderOf(new FullDevice());
  for (const bytes of [request('LOCK_INTERFACE_REQUEST', new Uint8Array(32)), new Uint8Array(0)])
    assert.equal(r.handle(bytes, undefined), { reply: { spdmError: 0x04 }, work: [], effects: [] });
  assert.is(r.state(F0), 'CONFIG_UNLOCKED');
  assert.is(r.protocolId, 1);
});

test('only the session that locked may command; others may look', () => {
  const commands = (Object.keys(Q) as TdispRequestName[]).filter(
    (name) => !name.startsWith('GET_') && name !== 'SET_TDISP_CONFIG_REQUEST',
  );
  for (const state of ['CONFIG_LOCKED', 'RUN', 'ERROR'] as const) {
    const { r } = responderOf(new FullDevice());
    const nonce = reach(r, state, LockFlags.BIND_P2P);
    for (const name of [...commands, 'GET_DEVICE_INTERFACE_REPORT' as const])
      assert.is(said(r, request(name, nonce), OTHER_SESSION), I, `${name} in ${state}`);
    for (const name of [
      'GET_TDISP_VERSION',
      'GET_TDISP_CAPABILITIES',
      'GET_DEVICE_INTERFACE_STATE',
    ] as const)
      assert.is(said(r, request(name, nonce), OTHER_SESSION), 'ok', `${name} in ${state}`);
    assert.is(r.state(F0), state);
    assert.is(said(r, request('STOP_INTERFACE_REQUEST', nonce)), 'ok');
    assert.is(said(r, request('LOCK_INTERFACE_REQUEST', nonce), OTHER_SESSION), 'ok');
  }
});

test('fuzz: any bytes in any state get a whole answer; a refusal changes nothing', () => {
  const codes = [...Object.values(Q), 0x7f, 0x00];
  const headed = fc
    .tuple(
      fc.constantFrom(...codes),
      fc.constantFrom(F0, F1, 0x0102),
      fc.uint8Array({ maxLength: 52 }),
    )
    .map(([code, word, body]) =>
      concat(
        fromHex('10'),
        Uint8Array.of(code, 0, 0, word & 255, word >> 8),
        new Uint8Array(10),
        body,
      ),
    );
  const { r } = responderOf(new FullDevice());
  let refusals = 0;
  fc.assert(
    fc.property(
      fc.oneof(headed, fc.uint8Array({ maxLength: 64 })),
      fc.constantFrom(...tdiStates),
      (payload, state) => {
        r.event('all', 'conventional-reset');
        reach(r, state, LockFlags.BIND_P2P);
        const before = JSON.stringify(r.view(F0), (_k, v) => (typeof v === 'bigint' ? `${v}` : v));
        const outcome = r.handle(payload, SESSION);
        const back = decodeTdisp(bytesOf(outcome));
        assert.ok(back.ok);
        if (!back.ok || back.value.name !== 'TDISP_ERROR') return;
        refusals++;
        const after = JSON.stringify(r.view(F0), (_k, v) => (typeof v === 'bigint' ? `${v}` : v));
        assert.is(after, before);
        assert.equal(outcome.effects, []);
      },
    ),
    { seed: 1, numRuns: 4000 },
  );
  assert.ok(refusals > 1000, `${refusals} refusals`);
});

test.run();
