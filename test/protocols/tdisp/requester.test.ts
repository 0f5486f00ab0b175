import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { isPeerFault, LocalError } from '../../../protocols/codec/refusal.ts';
import type { VendorExchange } from '../../../protocols/engine.ts';
import {
  bindP2pStream,
  encodeTdisp,
  getInterfaceReport,
  getInterfaceState,
  getTdispCapabilities,
  getTdispVersion,
  LockFlags,
  lockInterface,
  mandatoryRequests,
  TdispResponses as R,
  requestsOf,
  setMmioAttribute,
  startInterface,
  stopInterface,
  TdispErrors,
  tdispLayout,
  unbindP2pStream,
  vendorDefined,
} from '../../../protocols/tdisp/index.ts';
import {
  bytesOf,
  codeOf,
  F0,
  FullDevice,
  good,
  LOCK,
  responderOf,
  run,
  runWith,
  SESSION,
} from './device.ts';
import { reach, UPDATABLE } from './requests.ts';

const test = suite('tdisp requester');

const ID = '00010000 0000000000000000';
const NONCE = new Uint8Array(32).fill(1);
const VENDOR = { registryId: 0, vendorId: fromHex('8680'), data: fromHex('01') };
const exchanges: Readonly<Record<string, () => VendorExchange<unknown>>> = {
  getTdispVersion: () => getTdispVersion(F0),
  getTdispCapabilities: () => getTdispCapabilities(F0),
  lockInterface: () => lockInterface(F0, LOCK),
  getInterfaceReport: () => getInterfaceReport(F0),
  getInterfaceState: () => getInterfaceState(F0),
  startInterface: () => startInterface(F0, NONCE),
  stopInterface: () => stopInterface(F0),
  bindP2pStream: () => bindP2pStream(F0, 9),
  unbindP2pStream: () => unbindP2pStream(F0, 9),
  setMmioAttribute: () => setMmioAttribute(F0, UPDATABLE),
  vendorDefined: () => vendorDefined(F0, VENDOR),
};

// exchange, first request in hex
const requests: readonly [string, string][] = [
  ['getTdispVersion', `10810000 ${ID}`],
  ['getTdispCapabilities', `10820000 ${ID} 00000000`],
  ['lockInterface', `10830000 ${ID} 0000 07 00 000000d000000000 0000000000000000`],
  ['getInterfaceReport', `10840000 ${ID} 0000 ffff`],
  ['getInterfaceState', `10850000 ${ID}`],
  ['startInterface', `10860000 ${ID} ${'01'.repeat(32)}`],
  ['stopInterface', `10870000 ${ID}`],
  ['bindP2pStream', `10880000 ${ID} 09`],
  ['unbindP2pStream', `10890000 ${ID} 09`],
  ['setMmioAttribute', `108a0000 ${ID} 02001c0000000000 02000000 0400 0200`],
  ['vendorDefined', `108b0000 ${ID} 00 02 8680 01`],
];
for (const [name, hex] of requests)
  test(`${name}: what it sends`, () => {
    const step = exchanges[name]!().next();
    assert.ok(!step.done && toHex(step.value) === toHex(fromHex(hex)));
  });

test('a whole life: version, capabilities, lock, report, start, P2P, attribute, VDM, stop', () => {
  const { r } = responderOf(new FullDevice());
  assert.equal(run(getTdispVersion(F0), r), [0x10]);
  const caps = good(run(getTdispCapabilities(F0), r));
  assert.is(caps.lockFlagsSupported, 0x1f);
  assert.equal([caps.deviceAddressWidth, caps.numReqThis, caps.numReqAll], [52, 1, 2]);
  assert.is(caps.requests.has('SET_MMIO_ATTRIBUTE_REQUEST'), true);
  assert.is(run(getInterfaceState(F0), r), 'CONFIG_UNLOCKED');
  const nonce = good(run(lockInterface(F0, { ...LOCK, flags: LockFlags.BIND_P2P }), r));
  assert.is(nonce.length, 32);
  assert.is(run(getInterfaceState(F0), r), 'CONFIG_LOCKED');
  assert.is(good(run(getInterfaceReport(F0, { portionBytes: 13 }), r)).length, 16 + 32 + 4 + 5);
  assert.is(run(startInterface(F0, nonce), r), true);
  assert.is(run(getInterfaceState(F0), r), 'RUN');
  assert.is(run(bindP2pStream(F0, 9), r), true);
  assert.is(run(unbindP2pStream(F0, 9), r), true);
  assert.is(run(setMmioAttribute(F0, UPDATABLE), r), true);
  assert.equal(run(vendorDefined(F0, VENDOR), r), VENDOR);
  r.event(F0, 'bus-master-disabled');
  assert.is(run(getInterfaceState(F0), r), 'ERROR');
  assert.is(run(stopInterface(F0), r), true);
  assert.is(run(getInterfaceState(F0), r), 'CONFIG_UNLOCKED');
});

const errorBytes = (code: number, version = 0x10) =>
  encodeTdisp(
    R.TDISP_ERROR,
    F0,
    { ERROR_CODE: code, ERROR_DATA: 0, EXTENDED_ERROR_DATA: new Uint8Array(0) },
    version,
  );
for (const [name, code] of Object.entries(TdispErrors))
  test(`TDISP_ERROR ${name} ends every exchange by that name`, () => {
    for (const make of Object.values(exchanges))
      assert.is(codeOf(runWith(make(), () => errorBytes(code))), `TDISP_${name}`);
  });

// the answer to stopInterface, and what is said of it
const answers: readonly [string, Uint8Array, string][] = [
  ['right', fromHex(`10070000 ${ID}`), 'no fault'],
  ['empty', new Uint8Array(0), 'TDISP_MALFORMED'],
  ['header cut short', fromHex('10070000 00010000 00000000 000000'), 'TDISP_MALFORMED'],
  ['a byte too many', fromHex(`10070000 ${ID} 00`), 'TDISP_MALFORMED'],
  ['another version', fromHex(`11070000 ${ID}`), 'TDISP_VERSION_NOT_ECHOED'],
  ['another function', fromHex('10070000 01010000 0000000000000000'), 'TDISP_INTERFACE_NOT_ECHOED'],
  ['segment added', fromHex('10070000 00010001 0000000000000000'), 'TDISP_INTERFACE_NOT_ECHOED'],
  ['answer to something else', fromHex(`10060000 ${ID}`), 'TDISP_UNEXPECTED_MESSAGE'],
  ['the request itself', fromHex(`10870000 ${ID}`), 'TDISP_UNEXPECTED_MESSAGE'],
  ['unknown message', fromHex(`10600000 ${ID}`), 'TDISP_UNEXPECTED_MESSAGE'],
  ['unknown error', errorBytes(0x2222), 'TDISP_UNKNOWN_ERROR'],
  ['error cut short', errorBytes(1).slice(0, 20), 'TDISP_MALFORMED'],
  ['error of another version', errorBytes(1, 0x20), 'TDISP_VERSION_NOT_ECHOED'],
  ['VERSION_MISMATCH of another version', errorBytes(0x41, 0x20), 'TDISP_VERSION_MISMATCH'],
];
for (const [name, bytes, code] of answers)
  test(`answer: ${name}`, () => {
    assert.is(codeOf(runWith(stopInterface(F0), () => bytes)), code);
  });

test('versions: 1.0 must be among them', () => {
  const offer = (VERSION_NUM_ENTRY: number[]) =>
    runWith(getTdispVersion(F0), () => encodeTdisp(R.TDISP_VERSION, F0, { VERSION_NUM_ENTRY }));
  assert.equal(offer([0x20, 0x10]), [0x20, 0x10]);
  assert.is(codeOf(offer([])), 'TDISP_NO_COMMON_VERSION');
  assert.is(codeOf(offer([0x11, 0x20])), 'TDISP_NO_COMMON_VERSION');
});

test('REQ_MSGS_SUPPORTED: both countings are read, and mandatory requests are missed', () => {
  const bits = (hex: string) => fromHex(hex.padEnd(32, '0'));
  assert.equal([...requestsOf(bits('fe'))], [...mandatoryRequests]);
  assert.equal([...requestsOf(bits('7f'))], [...mandatoryRequests]);
  assert.equal([...requestsOf(bits('fe08'))], [...mandatoryRequests, 'VDM_REQUEST']);
  assert.equal([...requestsOf(bits('ff04'))].at(-1), 'VDM_REQUEST');
  const caps = (REQ_MSGS_SUPPORTED: Uint8Array) =>
    runWith(getTdispCapabilities(F0), () =>
      encodeTdisp(R.TDISP_CAPABILITIES, F0, {
        DSM_CAPS: 0,
        REQ_MSGS_SUPPORTED,
        LOCK_INTERFACE_FLAGS_SUPPORTED: 0,
        DEV_ADDR_WIDTH: 52,
        NUM_REQ_THIS: 1,
        NUM_REQ_ALL: 1,
      }),
    );
  for (const hex of ['fe', '7f']) assert.is(codeOf(caps(bits(hex))), 'no fault');
  for (const hex of ['7e', 'f6', '3f', '00'])
    assert.is(codeOf(caps(bits(hex))), 'TDISP_MANDATORY_REQUEST_MISSING', hex);
});

test('TDI_STATE outside the four', () => {
  for (const TDI_STATE of [4, 255]) {
    const answer = encodeTdisp(R.DEVICE_INTERFACE_STATE, F0, { TDI_STATE });
    assert.is(codeOf(runWith(getInterfaceState(F0), () => answer)), 'TDISP_UNKNOWN_STATE');
  }
});

const portion = (size: number, remainder: number) =>
  encodeTdisp(R.DEVICE_INTERFACE_REPORT, F0, {
    REMAINDER_LENGTH: remainder,
    REPORT_BYTES: new Uint8Array(size),
  });
// portions of 10 asked; portion and remainder of each answer, the last one for ever
const hostile: readonly [string, [number, number][], string][] = [
  [
    'honest',
    [
      [10, 5],
      [5, 0],
    ],
    'no fault',
  ],
  [
    'honest, in crumbs',
    [
      [4, 6],
      [1, 5],
      [5, 0],
    ],
    'no fault',
  ],
  ['nothing, for ever', [[0, 100]], 'TDISP_PORTION_LENGTH'],
  [
    'nothing at the end',
    [
      [10, 5],
      [0, 5],
    ],
    'TDISP_PORTION_LENGTH',
  ],
  ['nothing at all', [[0, 0]], 'TDISP_PORTION_LENGTH'],
  ['more than asked', [[11, 0]], 'TDISP_PORTION_LENGTH'],
  [
    'grows',
    [
      [10, 10],
      [10, 10],
    ],
    'TDISP_REPORT_CHANGED',
  ],
  [
    'shrinks',
    [
      [10, 20],
      [10, 0],
    ],
    'TDISP_REPORT_CHANGED',
  ],
  ['too long to fetch', [[10, 0xffff]], 'TDISP_REPORT_TOO_LONG'],
];
for (const [name, script, code] of hostile)
  test(`report: ${name}`, () => {
    let at = 0;
    const answer = () => portion(...script[Math.min(at++, script.length - 1)]!);
    const got = runWith(getInterfaceReport(F0, { portionBytes: 10 }), answer);
    assert.is(codeOf(got), code);
    if (code === 'no fault')
      assert.is((got as Uint8Array).length, name.includes('crumbs') ? 10 : 15);
    assert.is(at, script.length);
  });

test('report: a byte at a time is cut off after so many portions', () => {
  let [offset, asked] = [0, 0];
  const crumb = () => {
    asked++;
    return portion(1, 0xfffe - offset++);
  };
  assert.is(codeOf(runWith(getInterfaceReport(F0), crumb)), 'TDISP_TOO_MANY_PORTIONS');
  assert.is(asked, 4096);
  [offset, asked] = [0, 0];
  const few = runWith(getInterfaceReport(F0, { portionsMax: 3 }), crumb);
  assert.is(codeOf(few), 'TDISP_TOO_MANY_PORTIONS');
  assert.is(asked, 3);
});

test('report: OFFSET follows the bytes received, not the bytes asked', () => {
  const offsets: number[] = [];
  let left = 9;
  const answer = (asked: Uint8Array) => {
    offsets.push(asked[16]! + 256 * asked[17]!);
    left -= 3;
    return portion(3, left);
  };
  good(runWith(getInterfaceReport(F0, { portionBytes: 8 }), answer));
  assert.equal(offsets, [0, 3, 6]);
});

test('a caller’s mistake is named', () => {
  const local = (e: Error) => e instanceof LocalError;
  for (const portionBytes of [0, 65536, 1.5, Number.NaN])
    assert.throws(() => getInterfaceReport(F0, { portionBytes }).next(), local, `${portionBytes}`);
  assert.throws(() => startInterface(F0, new Uint8Array(31)).next(), local);
  assert.throws(() => lockInterface(F0, { ...LOCK, flags: 65536 }).next(), local);
});

test('fuzz: every exchange ends on any answers, mutated or random', () => {
  for (const [name, make] of Object.entries(exchanges)) {
    const { r } = responderOf(new FullDevice());
    const state = name.includes('lock') ? 'CONFIG_UNLOCKED' : 'RUN';
    reach(r, name === 'startInterface' ? 'CONFIG_LOCKED' : state, LockFlags.BIND_P2P);
    if (name === 'unbindP2pStream') good(run(bindP2pStream(F0, 9), r));
    const step = make().next();
    assert.not(step.done);
    if (step.done) return;
    const right = bytesOf(r.handle(step.value, SESSION));
    assert.is.not(right[1], R.TDISP_ERROR, name);
    let faults = 0;
    for (const { bytes } of mutations(tdispLayout(right[1]!)!, right))
      if (isPeerFault(runWith(make(), () => bytes))) faults++;
    assert.ok(faults > 3, `${name}: ${faults} mutations noticed`);
  }
  const head = fc
    .tuple(fc.constantFrom(...Object.values(R)), fc.uint8Array({ maxLength: 60 }))
    .map(([code, body]) => concat(Uint8Array.of(0x10, code, 0, 0), fromHex(ID), body));
  const answer = fc.oneof(fc.uint8Array({ maxLength: 64 }), head);
  const stream = fc.array(answer, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(exchanges)), stream, (make, list) => {
      let at = 0;
      runWith(make(), () => list[at++ % list.length]!, 5000);
    }),
    { seed: 1, numRuns: 5000 },
  );
});

test.run();
