/** What is inside the requests: report, capabilities, outstanding requests, P2P, attributes, VDM. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import {
  bindP2pStream,
  buildReport,
  decodeTdisp,
  encodeTdisp,
  getInterfaceReport,
  getTdispCapabilities,
  LockFlags,
  lockInterface,
  mandatoryRequests,
  TdispRequests as Q,
  setMmioAttribute,
  startInterface,
  stopInterface,
  TdispErrors,
  unbindP2pStream,
  vendorDefined,
} from '../../../protocols/tdisp/index.ts';
import {
  bytesOf,
  codeOf,
  F0,
  F1,
  FACTS,
  FullDevice,
  good,
  LOCK,
  OFFSET,
  PlainDevice,
  responderOf,
  run,
  SESSION,
} from './device.ts';
import { reach, request, said, UPDATABLE } from './requests.ts';

const test = suite('tdisp responder: content');

const LOCKED_REPORT = buildReport(FACTS, { flags: 4, mmioReportingOffset: OFFSET });
for (const portionBytes of [1, 3, 7, 16, LOCKED_REPORT.length - 1, LOCKED_REPORT.length, 65535])
  test(`report in portions of ${portionBytes}, in CONFIG_LOCKED and RUN`, () => {
    const { r } = responderOf(new PlainDevice());
    const nonce = reach(r, 'CONFIG_LOCKED', LockFlags.LOCK_MSIX);
    for (const state of ['CONFIG_LOCKED', 'RUN'] as const) {
      if (state === 'RUN') good(run(startInterface(F0, nonce), r));
      const whole = good(run(getInterfaceReport(F0, { portionBytes }), r));
      assert.is(toHex(whole), toHex(LOCKED_REPORT));
      assert.is(r.state(F0), state);
    }
  });

const SIZE = LOCKED_REPORT.length;
// OFFSET, LENGTH, portion and remainder or the error
const windows: readonly [number, number, [number, number] | string][] = [
  [0, 0, 'INVALID_REQUEST'],
  [5, 0, 'INVALID_REQUEST'],
  [SIZE, 1, 'INVALID_REQUEST'],
  [SIZE + 1, 1, 'INVALID_REQUEST'],
  [0xffff, 0xffff, 'INVALID_REQUEST'],
  [0, 1, [1, SIZE - 1]],
  [SIZE - 1, 1, [1, 0]],
  [SIZE - 1, 0xffff, [1, 0]],
  [1, 0xffff, [SIZE - 1, 0]],
  [17, 5, [5, SIZE - 22]],
];
for (const [OFFSET_, LENGTH, expected] of windows)
  test(`report: OFFSET ${OFFSET_}, LENGTH ${LENGTH}`, () => {
    const { r } = responderOf(new PlainDevice());
    reach(r, 'CONFIG_LOCKED', LockFlags.LOCK_MSIX);
    const asked = encodeTdisp(Q.GET_DEVICE_INTERFACE_REPORT, F0, { OFFSET: OFFSET_, LENGTH });
    if (typeof expected === 'string') return assert.is(said(r, asked), expected);
    const [portion, remainder] = expected;
    const answer = decodeTdisp(bytesOf(r.handle(asked, SESSION)));
    assert.ok(answer.ok);
    if (!answer.ok) return;
    const { body } = answer.value;
    assert.is(body['PORTION_LENGTH'], portion);
    assert.is(body['REMAINDER_LENGTH'], remainder);
    const cut = LOCKED_REPORT.slice(OFFSET_, OFFSET_ + portion);
    assert.is(toHex(body['REPORT_BYTES'] as Uint8Array), toHex(cut));
  });

test('report: the device bounds a portion, and the snapshot outlives a change of facts', () => {
  const { device, r } = responderOf(new PlainDevice());
  device.capabilities = { ...device.capabilities, reportPortionMax: 10 };
  reach(r, 'CONFIG_LOCKED', LockFlags.LOCK_MSIX);
  device.facts = { ...FACTS, ranges: [], deviceSpecificInfo: new Uint8Array(500) };
  let requests = 0;
  const exchange = getInterfaceReport(F0);
  let step = exchange.next();
  while (!step.done) {
    requests++;
    step = exchange.next(bytesOf(r.handle(step.value, SESSION)));
  }
  assert.is(toHex(good(step.value)), toHex(LOCKED_REPORT));
  assert.is(requests, Math.ceil(SIZE / 10));
});

test('capabilities: bit n is code 80h + n, optional requests only where the device has them', () => {
  const plain = responderOf(new PlainDevice());
  const full = responderOf(new FullDevice());
  const bitmap = (r: typeof plain.r) =>
    toHex(bytesOf(r.handle(request('GET_TDISP_CAPABILITIES', new Uint8Array(32)), SESSION)));
  const rest = '1f00000000340102';
  const head = `10020000${'00010000'}${'00'.repeat(8)}00000000`;
  assert.is(bitmap(plain.r), `${head}fe00${'00'.repeat(14)}${rest}`);
  assert.is(bitmap(full.r), `${head}fe0f${'00'.repeat(14)}${rest}`);
  const caps = good(run(getTdispCapabilities(F0), plain.r));
  assert.equal([...caps.requests].sort(), [...mandatoryRequests].sort());
});

test('NUM_REQ_THIS and NUM_REQ_ALL: one more is BUSY; 0 is read as 1', () => {
  // outstanding here, outstanding in all, NUM_REQ_THIS, NUM_REQ_ALL, answer
  const rows: readonly [number, number, number, number, string][] = [
    [0, 0, 1, 1, 'ok'],
    [0, 0, 0, 0, 'ok'],
    [1, 1, 1, 2, 'BUSY'],
    [1, 1, 2, 2, 'ok'],
    [0, 2, 1, 2, 'BUSY'],
    [0, 1, 1, 2, 'ok'],
    [1, 1, 0, 2, 'BUSY'],
    [0, 1, 1, 0, 'BUSY'],
  ];
  for (const [here, all, numReqThis, numReqAll, expected] of rows) {
    const { device, r } = responderOf(new PlainDevice());
    device.capabilities = { ...device.capabilities, numReqThis, numReqAll };
    device.pending = new Map<number | 'all', number>([
      [F0, here],
      ['all', all],
    ]);
    const got = said(r, request('LOCK_INTERFACE_REQUEST', new Uint8Array(32)));
    assert.is(got, expected, [here, all, numReqThis, numReqAll].join());
    assert.is(r.state(F0), expected === 'ok' ? 'CONFIG_LOCKED' : 'CONFIG_UNLOCKED');
  }
});

test('P2P: only with BIND_P2P, once per stream, forgotten on leaving RUN', () => {
  const { device, r } = responderOf(new FullDevice());
  reach(r, 'RUN');
  assert.is(codeOf(run(bindP2pStream(F0, 9), r)), 'TDISP_INVALID_REQUEST');
  r.event('all', 'conventional-reset');
  reach(r, 'RUN', LockFlags.BIND_P2P);
  assert.is(codeOf(run(unbindP2pStream(F0, 9), r)), 'TDISP_INVALID_REQUEST');
  const asked = encodeTdisp(Q.BIND_P2P_STREAM_REQUEST, F0, { P2P_STREAM_ID: 9 });
  const bound = { type: 'tdi-p2p-bound', functionId: F0, streamId: 9 };
  assert.equal(r.handle(asked, SESSION).effects, [bound]);
  assert.is(codeOf(run(bindP2pStream(F0, 9), r)), 'TDISP_INVALID_REQUEST');
  device.verdict = TdispErrors.INVALID_REQUEST;
  assert.is(codeOf(run(bindP2pStream(F0, 10), r)), 'TDISP_INVALID_REQUEST');
  assert.is(codeOf(run(unbindP2pStream(F0, 9), r)), 'TDISP_INVALID_REQUEST');
  assert.equal(r.view(F0)?.p2pStreams, [9]);
  device.verdict = undefined;
  const back = encodeTdisp(Q.UNBIND_P2P_STREAM_REQUEST, F0, { P2P_STREAM_ID: 9 });
  const unbound = { type: 'tdi-p2p-unbound', functionId: F0, streamId: 9 };
  assert.equal(r.handle(back, SESSION).effects, [unbound]);
  assert.equal(r.view(F0)?.p2pStreams, []);
  assert.is(run(bindP2pStream(F0, 9), r), true);
  good(run(stopInterface(F0), r));
  assert.equal(r.view(F0)?.p2pStreams, []);
});

// the updatable range is BAR 2, pages 1c0000h to 1c000fh
const attributes: readonly [string, Partial<typeof UPDATABLE>, string][] = [
  ['inside', {}, 'ok'],
  ['the whole range', { FIRST_PAGE: 0x1c0000n, NUMBER_OF_PAGES: 16 }, 'ok'],
  ['the last page', { FIRST_PAGE: 0x1c000fn, NUMBER_OF_PAGES: 1 }, 'ok'],
  ['before', { FIRST_PAGE: 0x1bffffn }, 'INVALID_REQUEST'],
  ['over the end', { FIRST_PAGE: 0x1c000fn }, 'INVALID_REQUEST'],
  ['far away', { FIRST_PAGE: (1n << 64n) - 1n }, 'INVALID_REQUEST'],
  ['no pages', { NUMBER_OF_PAGES: 0 }, 'INVALID_REQUEST'],
  ['reserved attributes', { RANGE_ATTRIBUTES: 0x14 }, 'INVALID_REQUEST'],
  ['another BAR', { RANGE_ID: 0 }, 'INVALID_REQUEST'],
  ['a range that is not updatable', { FIRST_PAGE: 0x1b0000n, RANGE_ID: 0 }, 'INVALID_REQUEST'],
];
for (const [name, change, expected] of attributes)
  test(`SET_MMIO_ATTRIBUTE: ${name}`, () => {
    const { device, r } = responderOf(new FullDevice());
    reach(r, 'RUN');
    const range = { ...UPDATABLE, ...change };
    const asked = encodeTdisp(Q.SET_MMIO_ATTRIBUTE_REQUEST, F0, { MMIO_RANGE: range });
    assert.is(said(r, asked), expected);
    assert.is(device.updates.length, expected === 'ok' ? 1 : 0);
  });

test('SET_MMIO_ATTRIBUTE: the device gets bus addresses, the report stays as locked', () => {
  const { device, r } = responderOf(new FullDevice());
  reach(r, 'RUN');
  const before = good(run(getInterfaceReport(F0), r));
  const asked = encodeTdisp(Q.SET_MMIO_ATTRIBUTE_REQUEST, F0, { MMIO_RANGE: UPDATABLE });
  const update = { barIndex: 2, address: 0xf0002000n, pages: 2, nonTee: true };
  const effect = { type: 'tdi-mmio-attribute', functionId: F0, update };
  assert.equal(r.handle(asked, SESSION).effects, [effect]);
  good(run(setMmioAttribute(F0, { ...UPDATABLE, RANGE_ATTRIBUTES: 0 }), r));
  assert.equal(device.updates, [update, { ...update, nonTee: false }]);
  assert.equal(good(run(getInterfaceReport(F0), r)), before);
  device.verdict = TdispErrors.UNSPECIFIED;
  assert.is(codeOf(run(setMmioAttribute(F0, UPDATABLE), r)), 'TDISP_UNSPECIFIED');
});

test('VDM: answered, refused, and refused with the vendor’s own error', () => {
  const { device, r } = responderOf(new FullDevice());
  const message = { registryId: 0, vendorId: fromHex('8680'), data: fromHex('010203') };
  assert.equal(good(run(vendorDefined(F0, message), r)), { ...message, data: fromHex('030201') });
  device.vendorAnswer = TdispErrors.UNSUPPORTED_REQUEST;
  assert.is(codeOf(run(vendorDefined(F0, message), r)), 'TDISP_UNSUPPORTED_REQUEST');
  device.vendorAnswer = { errorData: 0x1234, extended: message };
  const reply = bytesOf(r.handle(request('VDM_REQUEST', new Uint8Array(32)), SESSION));
  assert.is(toHex(reply.slice(16)), 'ff00000034120000' + '00028680010203');
  const fault = run(vendorDefined(F0, message), r);
  assert.is(codeOf(fault), 'TDISP_VENDOR_SPECIFIC_ERROR');
});

test('STOP: scrubs what was locked, and is a no-op in CONFIG_UNLOCKED', () => {
  const { r } = responderOf(new PlainDevice());
  const stop = request('STOP_INTERFACE_REQUEST', new Uint8Array(32));
  const idle = r.handle(stop, SESSION);
  assert.equal([idle.work, idle.effects], [[{ op: 'message', bytes: 16 }], []]);
  reach(r, 'RUN');
  const busy = r.handle(stop, SESSION);
  assert.equal(busy.work, [{ op: 'message', bytes: 16 }, { op: 'scrub' }]);
  assert.is(r.view(F0)?.lock, undefined);
});

test('renumber: ERROR goes along, also when two functions change places', () => {
  const { device, r } = responderOf(new PlainDevice());
  reach(r, 'RUN');
  const effects = r.renumber([
    [F0, F1],
    [F1, F0],
  ]);
  assert.equal(
    effects.map((e) => e.type === 'tdi-state' && e.cause),
    ['requester-id-changed'],
  );
  assert.equal([r.state(F0), r.state(F1)], ['CONFIG_UNLOCKED', 'ERROR']);
  device.functions = [0x0200, 0x0201];
  r.renumber([
    [F0, 0x0200],
    [F1, 0x0201],
  ]);
  const codes = [0x0200, 0x0201].map((id) => codeOf(run(lockInterface(id, LOCK), r)));
  assert.equal(codes, ['no fault', 'TDISP_INVALID_INTERFACE_STATE']);
  assert.throws(() => r.renumber([[0x0200, 0x02000000]]), /moves/);
});

test('firmware update: forbidden while a TDI is locked with NO_FW_UPDATE', () => {
  for (const state of ['CONFIG_UNLOCKED', 'CONFIG_LOCKED', 'RUN', 'ERROR'] as const) {
    const { r } = responderOf(new PlainDevice());
    reach(r, state, LockFlags.NO_FW_UPDATE);
    const locked = state === 'CONFIG_LOCKED' || state === 'RUN';
    assert.is(r.firmwareUpdate(0), locked ? 'refuse' : 'update-and-end-session');
    assert.is(r.firmwareUpdate(1), locked ? 'refuse' : 'update');
  }
  const { r } = responderOf(new PlainDevice());
  reach(r, 'RUN');
  assert.is(r.firmwareUpdate(1), 'update');
});

test.run();
