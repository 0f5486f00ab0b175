import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { decode } from '../../../protocols/codec/layout.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  decodeTdisp,
  describeTdisp,
  encodeTdisp,
  functionId,
  functionIdText,
  functionKey,
  parseFunctionId,
  TdispRequests as Q,
  TdispResponses as R,
  TdiStates,
  type TdispCode,
  TdispErrors,
  tdispLayout,
  tdispLayouts,
} from '../../../protocols/tdisp/index.ts';
import { interfaceReport } from '../../../protocols/tdisp/messages.ts';

const test = suite('tdisp messages');

const ID = '00 01 00 00 00 00 00 00 00 00 00 00';
const NONCE = new Uint8Array(32).fill(0xa5);
const NONCE_HEX = 'a5'.repeat(32);
const RANGE = {
  FIRST_PAGE: 0xd0000n,
  NUMBER_OF_PAGES: 4,
  RANGE_ATTRIBUTES: 0x0c,
  RANGE_ID: 2,
};
const RANGE_HEX = '00000d0000000000 04000000 0c00 0200';
const VENDOR = { REGISTRY_ID: 1, VENDOR_ID: fromHex('981e'), VENDOR_DATA: fromHex('c0ffee') };
const VENDOR_HEX = '01 02 981e c0ffee';

// name, code, code in hex, body value, body in hex
const vectors: readonly [string, TdispCode, string, object, string][] = [
  ['GET_TDISP_VERSION', Q.GET_TDISP_VERSION, '81', {}, ''],
  ['TDISP_VERSION', R.TDISP_VERSION, '01', { VERSION_NUM_ENTRY: [0x10] }, '01 10'],
  ['GET_TDISP_CAPABILITIES', Q.GET_TDISP_CAPABILITIES, '82', { TSM_CAPS: 0 }, '00000000'],
  [
    'TDISP_CAPABILITIES',
    R.TDISP_CAPABILITIES,
    '02',
    {
      DSM_CAPS: 0,
      REQ_MSGS_SUPPORTED: fromHex('fe000000000000000000000000000000'),
      LOCK_INTERFACE_FLAGS_SUPPORTED: 0x1f,
      DEV_ADDR_WIDTH: 52,
      NUM_REQ_THIS: 1,
      NUM_REQ_ALL: 2,
    },
    '00000000 fe000000000000000000000000000000 1f00 000000 34 01 02',
  ],
  [
    'LOCK_INTERFACE_REQUEST',
    Q.LOCK_INTERFACE_REQUEST,
    '83',
    {
      FLAGS: 0x0005,
      DEFAULT_STREAM_ID: 7,
      MMIO_REPORTING_OFFSET: 0xd0000000n,
      BIND_P2P_ADDRESS_MASK: 0x0102030405060708n,
    },
    '0500 07 00 000000d000000000 0807060504030201',
  ],
  [
    'LOCK_INTERFACE_RESPONSE',
    R.LOCK_INTERFACE_RESPONSE,
    '03',
    { START_INTERFACE_NONCE: NONCE },
    NONCE_HEX,
  ],
  [
    'GET_DEVICE_INTERFACE_REPORT',
    Q.GET_DEVICE_INTERFACE_REPORT,
    '84',
    { OFFSET: 0x0102, LENGTH: 0x0304 },
    '0201 0403',
  ],
  [
    'DEVICE_INTERFACE_REPORT',
    R.DEVICE_INTERFACE_REPORT,
    '04',
    { REMAINDER_LENGTH: 5, REPORT_BYTES: fromHex('aabbcc') },
    '0300 0500 aabbcc',
  ],
  ['GET_DEVICE_INTERFACE_STATE', Q.GET_DEVICE_INTERFACE_STATE, '85', {}, ''],
  ['DEVICE_INTERFACE_STATE', R.DEVICE_INTERFACE_STATE, '05', { TDI_STATE: 3 }, '03'],
  [
    'START_INTERFACE_REQUEST',
    Q.START_INTERFACE_REQUEST,
    '86',
    { START_INTERFACE_NONCE: NONCE },
    NONCE_HEX,
  ],
  ['START_INTERFACE_RESPONSE', R.START_INTERFACE_RESPONSE, '06', {}, ''],
  ['STOP_INTERFACE_REQUEST', Q.STOP_INTERFACE_REQUEST, '87', {}, ''],
  ['STOP_INTERFACE_RESPONSE', R.STOP_INTERFACE_RESPONSE, '07', {}, ''],
  ['BIND_P2P_STREAM_REQUEST', Q.BIND_P2P_STREAM_REQUEST, '88', { P2P_STREAM_ID: 9 }, '09'],
  ['BIND_P2P_STREAM_RESPONSE', R.BIND_P2P_STREAM_RESPONSE, '08', {}, ''],
  ['UNBIND_P2P_STREAM_REQUEST', Q.UNBIND_P2P_STREAM_REQUEST, '89', { P2P_STREAM_ID: 9 }, '09'],
  ['UNBIND_P2P_STREAM_RESPONSE', R.UNBIND_P2P_STREAM_RESPONSE, '09', {}, ''],
  [
    'SET_MMIO_ATTRIBUTE_REQUEST',
    Q.SET_MMIO_ATTRIBUTE_REQUEST,
    '8a',
    { MMIO_RANGE: RANGE },
    RANGE_HEX,
  ],
  ['SET_MMIO_ATTRIBUTE_RESPONSE', R.SET_MMIO_ATTRIBUTE_RESPONSE, '0a', {}, ''],
  ['VDM_REQUEST', Q.VDM_REQUEST, '8b', VENDOR, VENDOR_HEX],
  ['VDM_RESPONSE', R.VDM_RESPONSE, '0b', VENDOR, VENDOR_HEX],
  ['SET_TDISP_CONFIG_REQUEST', Q.SET_TDISP_CONFIG_REQUEST, '8c', { TDISP_CONFIG: 1 }, '01000000'],
  ['SET_TDISP_CONFIG_RESPONSE', R.SET_TDISP_CONFIG_RESPONSE, '0c', {}, ''],
  [
    'TDISP_ERROR',
    R.TDISP_ERROR,
    '7f',
    { ERROR_CODE: 0x0007, ERROR_DATA: 0x8c, EXTENDED_ERROR_DATA: new Uint8Array(0) },
    '07000000 8c000000',
  ],
];

for (const [name, code, codeHex, body, bodyHex] of vectors) {
  test(`${name}: bytes, value and name agree`, () => {
    const wire = fromHex(`10 ${codeHex} 0000 ${ID} ${bodyHex}`);
    assert.is(toHex(encodeTdisp(code, 0x100, body as never)), toHex(wire));
    const back = decodeTdisp(wire);
    assert.ok(back.ok);
    if (!back.ok) return;
    assert.is(back.value.name, name);
    assert.is(back.value.header.INTERFACE_ID.FUNCTION_ID, 0x100);
    for (const [field, value] of Object.entries(body))
      assert.equal(back.value.body[field], value, field);
  });

  test(`${name}: wrong bytes are refused or read differently, never thrown`, () => {
    const wire = fromHex(`10 ${codeHex} 0000 ${ID} ${bodyHex}`);
    const table = tdispLayout(code);
    assert.ok(table);
    let refused = 0;
    for (const { bytes } of mutations(table!, wire)) {
      if (!decodeTdisp(bytes).ok) refused++;
      assert.type(describeTdisp(bytes).name, 'string');
    }
    assert.ok(refused >= 2, `${refused} of the mutations refused`);
    if (!bodyHex.includes('c0ffee') && name !== 'TDISP_ERROR')
      assert.not(decodeTdisp(Uint8Array.of(...wire, 0)).ok, 'one byte too many');
    assert.not(decodeTdisp(wire.slice(0, 15)).ok, 'a header cut short');
  });
}

test('every known code has a vector', () => {
  assert.equal(
    new Set(vectors.map(([, code]) => code)),
    new Set(Object.keys(tdispLayouts).map(Number)),
  );
});

test('published sizes', () => {
  const size = (code: TdispCode) => {
    const vector = vectors.find(([, c]) => c === code)!;
    return encodeTdisp(code, 0, vector[3] as never).length;
  };
  assert.is(size(Q.GET_TDISP_VERSION), 16);
  assert.is(size(Q.GET_TDISP_CAPABILITIES), 20);
  assert.is(size(R.TDISP_CAPABILITIES), 44);
  assert.is(size(Q.LOCK_INTERFACE_REQUEST), 36);
  assert.is(size(R.LOCK_INTERFACE_RESPONSE), 48);
  assert.is(size(Q.GET_DEVICE_INTERFACE_REPORT), 20);
  assert.is(size(R.DEVICE_INTERFACE_STATE), 17);
  assert.is(size(Q.START_INTERFACE_REQUEST), 48);
});

test('unknown codes, short and empty payloads are refused by name', () => {
  assert.is(codeOfRefusal('10 8d 0000'), 'TRUNCATED');
  assert.is(codeOfRefusal(''), 'TRUNCATED');
  assert.is(codeOfRefusal(`10 8d 0000 ${ID}`), 'UNKNOWN_CODE');
  assert.is(codeOfRefusal(`10 81 0000 ${ID} 00`), 'TRAILING');
  assert.is(codeOfRefusal(`10 01 0000 ${ID} 02 10`), 'TRUNCATED');
});
function codeOfRefusal(hex: string): string {
  const back = decodeTdisp(fromHex(hex));
  return back.ok ? 'decoded' : back.code;
}

test('numbers of the wire', () => {
  assert.equal(TdiStates, { CONFIG_UNLOCKED: 0, CONFIG_LOCKED: 1, RUN: 2, ERROR: 3 });
  assert.equal(TdispErrors, {
    INVALID_REQUEST: 0x0001,
    BUSY: 0x0003,
    INVALID_INTERFACE_STATE: 0x0004,
    UNSPECIFIED: 0x0005,
    UNSUPPORTED_REQUEST: 0x0007,
    VERSION_MISMATCH: 0x0041,
    VENDOR_SPECIFIC_ERROR: 0x00ff,
    INVALID_INTERFACE: 0x0101,
    INVALID_NONCE: 0x0102,
    INSUFFICIENT_ENTROPY: 0x0103,
    INVALID_DEVICE_CONFIGURATION: 0x0104,
  });
});

const functionIds: readonly [string, number, { requesterId: number; segment?: number }, string][] =
  [
    ['no segment', 0x00000100, { requesterId: 0x0100 }, '01:00.0'],
    ['segment 0', 0x0100abcd, { requesterId: 0xabcd, segment: 0 }, '0000:ab:19.5'],
    ['segment 255', 0x01ffffff, { requesterId: 0xffff, segment: 255 }, '00ff:ff:1f.7'],
  ];
for (const [name, word, value, text] of functionIds) {
  test(`FUNCTION_ID, ${name}`, () => {
    assert.is(functionId(value), word);
    const parsed = parseFunctionId(word);
    assert.equal(parsed, { ok: true, value, size: 4 });
    assert.is(functionIdText(word), text);
  });
}

test('FUNCTION_ID: reserved bits, and a segment without its valid bit', () => {
  for (const word of [0x02000000, 0x80000000, 0xfe000100, 0x00010000, 0x00ff0100]) {
    assert.not(parseFunctionId(word).ok, word.toString(16));
    assert.is(functionKey(word), undefined, word.toString(16));
  }
  assert.is(functionIdText(0x80000001), '0x80000001');
});

test('FUNCTION_ID: a function without segment is the same as in segment 0, and no other', () => {
  assert.is(functionKey(0x0100), functionKey(0x01000100));
  assert.is.not(functionKey(0x0100), functionKey(0x01010100));
  assert.is.not(functionKey(0x0100), functionKey(0x0101));
});

test('FUNCTION_ID: a caller out of range is told so', () => {
  assert.throws(
    () => functionId({ requesterId: 0x10000 }),
    (e: Error) => e instanceof LocalError,
  );
  assert.throws(() => functionId({ requesterId: 0, segment: 256 }), /segment/);
});

const REPORT_HEX = `0300 0000 0000 0000 00000000 01000000 ${RANGE_HEX} 02000000 beef`;
function portion(report: string, remainder: string): Uint8Array {
  const size = fromHex(report).length.toString(16).padStart(2, '0');
  return fromHex(`10 04 0000 ${ID} ${size}00 ${remainder} ${report}`);
}

test('describe: names of codes, bits and functions', () => {
  const text = (hex: string) =>
    describeTdisp(fromHex(hex))
      .fields.map((f) => `${f.path} ${f.text}`)
      .join('\n');
  assert.match(text(`10 87 0000 ${ID}`), 'STOP_INTERFACE_REQUEST');
  assert.match(text(`10 87 0000 ${ID}`), /FUNCTION_ID .*01:00\.0/);
  assert.match(text(`10 05 0000 ${ID} 02`), 'TDI_STATE 0x02 RUN');
  assert.match(text(`10 7f 0000 ${ID} 02010000 00000000`), 'INVALID_NONCE');
  assert.match(
    text(`10 83 0000 ${ID} 0500 07 00 000000d000000000 0000000000000000`),
    'NO_FW_UPDATE|LOCK_MSIX',
  );
  assert.match(text(`10 8c 0000 ${ID} 01000000`), 'XT_MODE_ENABLE');
});

test('describe: a whole report is shown with its ranges, at its place in the payload', () => {
  const whole = describeTdisp(portion(REPORT_HEX, '0000'));
  assert.is(whole.refusal, undefined);
  const attributes = whole.fields.find((f) => f.path === 'REPORT.MMIO_RANGE[0].RANGE_ATTRIBUTES');
  assert.is(attributes?.text, '0x000c IS_NON_TEE_MEM|IS_MEM_ATTR_UPDATABLE');
  assert.is(attributes?.offset, 16 + 4 + 16 + 12);
  const info = whole.fields.find((f) => f.path === 'REPORT.INTERFACE_INFO');
  assert.is(info?.text, '0x0003 NO_FW_UPDATE|DMA_WITHOUT_PASID');
});

test('describe: a part of a report, and what only looks like one, is left as bytes', () => {
  const shown = (bytes: Uint8Array) =>
    describeTdisp(bytes).fields.some((f) => f.path.startsWith('REPORT.'));
  assert.ok(shown(portion(REPORT_HEX, '0000')));
  assert.not(shown(portion(REPORT_HEX, '0100')));
  assert.not(shown(portion(`${REPORT_HEX} 00`, '0000')));
});

test('describe: a vendor specific error shows whose it is', () => {
  const hex = `10 7f 0000 ${ID} ff000000 00000000 ${VENDOR_HEX}`;
  const { fields } = describeTdisp(fromHex(hex));
  assert.is(fields.find((f) => f.path === 'EXTENDED.REGISTRY_ID')?.text, '0x01 CXL');
  assert.is(fields.find((f) => f.path === 'EXTENDED.VENDOR_DATA')?.text, 'c0ffee');
  assert.is(fields.find((f) => f.path === 'EXTENDED.VENDOR_DATA')?.offset, 16 + 8 + 4);
});

test('describe: unknown, cut and empty payloads keep what could be read', () => {
  const unknown = describeTdisp(fromHex(`10 8f 0000 ${ID} 0102`));
  assert.is(unknown.name, 'MessageType 0x8f');
  assert.is(unknown.refusal?.code, 'UNKNOWN_CODE');
  assert.is(unknown.fields.length, 3);
  const cut = describeTdisp(fromHex(`10 83 0000 ${ID} 0500`));
  assert.is(cut.refusal?.code, 'TRUNCATED');
  assert.is(cut.fields.at(-1)?.path, 'FLAGS');
  assert.is(describeTdisp(fromHex('10')).refusal?.code, 'TRUNCATED');
  assert.is(describeTdisp(new Uint8Array(0)).refusal?.code, 'TRUNCATED');
  assert.is(describeTdisp(fromHex(`10 81 0000 ${ID} 00`)).refusal?.code, 'TRAILING');
});

test('random bytes, and random bytes behind a good header: never thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 96 }), fc.boolean(), (bytes, headed) => {
      const payload = headed ? Uint8Array.of(0x10, bytes[0] ?? 0, ...bytes) : bytes;
      const back = decodeTdisp(payload);
      assert.type(back.ok, 'boolean');
      const told = describeTdisp(payload);
      assert.is(told.refusal === undefined, back.ok);
    }),
    { seed: 1, numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => {
      assert.type(decode(interfaceReport, bytes).ok, 'boolean');
    }),
    { seed: 1, numRuns: 5000 },
  );
});

test.run();
