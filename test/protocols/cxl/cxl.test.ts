/** CXL vendor protocols: every message decodes, every bad one is refused (CXL 3.1 11.4, 11.5). */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, toHex } from '../../../protocols/codec/bytes.ts';
import type { Layout } from '../../../protocols/codec/field.ts';
import { encode } from '../../../protocols/codec/layout.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { CxlProtocolIds, decodeCxl, describeCxl } from '../../../protocols/cxl/cxl.ts';
import { IdeKmObjectIds, ideKmLayouts } from '../../../protocols/cxl/idekm.ts';
import {
  decodeTargetConfigurationReport,
  secondarySessionPsks,
  tspLayouts,
} from '../../../protocols/cxl/tsp.ts';
import { TspErrorCodes, TspOpCodes } from '../../../protocols/cxl/tsp-codes.ts';
import { all, captured, hex, KEY, last, TWEAK, z } from './vectors.ts';

const { CXL_IDE_KM, CXL_TSP } = CxlProtocolIds;
const layoutsOf = (protocolId: number) => (protocolId === CXL_IDE_KM ? ideKmLayouts : tspLayouts);
const codeAt = (protocolId: number, bytes: Uint8Array) => bytes[protocolId]!;
const tableOf = (protocolId: number, bytes: Uint8Array): Layout =>
  layoutsOf(protocolId)[codeAt(protocolId, bytes)]!;
const decodes = suite('cxl decode');

decodes('every message decodes under its name and encodes back to its bytes', () => {
  for (const [number, protocolId, name, bytes] of all) {
    const decoded = decodeCxl(protocolId, bytes);
    if (!decoded.ok) assert.unreachable(`${number} ${name}: ${decoded.path} ${decoded.detail}`);
    else {
      assert.is(decoded.value.name, name);
      assert.is(decoded.value.code, codeAt(protocolId, bytes));
      assert.is(decoded.size, bytes.length);
      const again = encode(tableOf(protocolId, bytes), decoded.value.body);
      assert.is(toHex(again), toHex(bytes), name);
    }
  }
});

decodes('every code has a layout of its name, and a vector', () => {
  for (const [protocolId, codes] of [
    [CXL_IDE_KM, IdeKmObjectIds],
    [CXL_TSP, TspOpCodes],
  ] as const) {
    for (const [name, code] of Object.entries(codes)) {
      assert.is(layoutsOf(protocolId)[code]?.name, name);
      assert.ok(
        all.some((vector) => vector[1] === protocolId && vector[2] === name),
        `no vector of ${name}`,
      );
    }
    assert.is(Object.keys(layoutsOf(protocolId)).length, Object.keys(codes).length);
  }
});

decodes('fields have the value the bytes say', () => {
  const field = (protocolId: number, name: string, path: string) => {
    const decoded = decodeCxl(protocolId, last(name));
    return decoded.ok ? decoded.value.body[path] : undefined;
  };
  assert.is(field(CXL_IDE_KM, 'QUERY_RESP', 'BusNum'), 0x3a);
  assert.is(field(CXL_IDE_KM, 'QUERY_RESP', 'MaxPortIndex'), 2);
  assert.equal(field(CXL_IDE_KM, 'KEY_PROG', 'PendingInitialIV'), hex('000000800000000001000000'));
  assert.equal(field(CXL_IDE_KM, 'GET_KEY_ACK', 'IV'), hex('000000000100000002000000'));
  assert.equal(field(CXL_TSP, 'GET_TARGET_TSP_VERSION_RSP', 'VersionNumberEntry'), [16, 17, 32]);
  assert.is(field(CXL_TSP, 'SET_TARGET_CKID_SPECIFIC_KEY', 'CKID'), 0x01234567);
  assert.is(field(CXL_TSP, 'SET_TARGET_RANGE_SPECIFIC_KEY', 'RangeEnd'), 0x80000000001fffffn);
  assert.equal(field(CXL_TSP, 'SET_TARGET_RANGE_RANDOM_KEY', 'TweakKey'), hex(TWEAK));
  assert.equal(field(CXL_TSP, 'SET_TARGET_TE_STATE', 'MemoryRanges'), [
    { StartingAddress: 0x100000n, Length: 0x10000n },
  ]);
  assert.is(field(CXL_TSP, 'ERROR_RSP', 'ErrorCode'), TspErrorCodes.VENDOR_SPECIFIC_ERROR);
  assert.equal(field(CXL_TSP, 'ERROR_RSP', 'ExtendedErrorData'), hex('cafe'));
});

decodes('the configuration report is read once whole', () => {
  const rsp = decodeCxl(CXL_TSP, last('GET_TARGET_CONFIGURATION_REPORT_RSP', captured));
  assert.ok(rsp.ok);
  const report = rsp.value.body['ReportData'] as Uint8Array;
  const bare = decodeTargetConfigurationReport(report);
  assert.ok(bare.ok && bare.value.ValidTSPReportFields === 1);
  assert.is(bare.ok && bare.value.CXLHDMDecoder.length, 0);
  const decoders = decodeTargetConfigurationReport(hex(report, z(0x40)));
  assert.is(decoders.ok && decoders.value.CXLHDMDecoder.length, 0x40);
  const short = decodeTargetConfigurationReport(report.slice(0, -1));
  assert.equal(short.ok ? '' : [short.code, short.path], ['BAD_LENGTH', 'CXLHDMDecoder']);
  assert.is(decodeTargetConfigurationReport(z(0)).ok, false);
});

decodes.run();

const refuses = suite('cxl refusals');

refuses('a bad message is refused by name, with the offset in the payload', () => {
  const rows: [number, string, string, string, number][] = [
    [2, '10 81 00 00', 'UNKNOWN_CODE', 'ProtocolID', 0],
    [CXL_IDE_KM, '', 'TRUNCATED', 'ObjectID', 0],
    [CXL_IDE_KM, '09 00 00', 'UNKNOWN_CODE', 'ObjectID', 0],
    [CXL_IDE_KM, '00 00', 'TRUNCATED', 'PortIndex', 2],
    [CXL_IDE_KM, '00 00 00 00', 'TRAILING', '', 3],
    [CXL_IDE_KM, '01 00 00 00 00 00 07 71 00 00', 'TRUNCATED', 'CXLIDECapabilityStructure[0]', 8],
    [CXL_IDE_KM, `02 00 00 00 00 80 00 ${KEY} 00000080`, 'TRUNCATED', 'PendingInitialIV', 39],
    [CXL_TSP, '10', 'TRUNCATED', 'OpCode', 1],
    [CXL_TSP, '10 80 00 00', 'UNKNOWN_CODE', 'OpCode', 1],
    [CXL_TSP, '10 8f 00 00', 'UNKNOWN_CODE', 'OpCode', 1],
    [CXL_TSP, '10 0f 00 00', 'UNKNOWN_CODE', 'OpCode', 1],
    [CXL_TSP, '10 81 00', 'TRUNCATED', 'Reserved', 2],
    [CXL_TSP, '10 01 00 00 02 10', 'TRUNCATED', 'VersionNumberEntry[1]', 6],
    [CXL_TSP, '10 01 00 00 01 10 11', 'TRAILING', '', 6],
    [CXL_TSP, '10 05 0000 0400 0000 010203', 'TRUNCATED', 'ReportData', 8],
    [CXL_TSP, '10 05 0000 0200 0000 010203', 'TRAILING', '', 10],
    [CXL_TSP, `10 8d 01 01 ${'00'.repeat(20)}`, 'TRUNCATED', 'MemoryRanges[0].Length', 24],
    [CXL_TSP, '10 7f 0000 05000000', 'TRUNCATED', 'ErrorData', 8],
  ];
  for (const [protocolId, text, code, path, offset] of rows) {
    const refusal = decodeCxl(protocolId, hex(text));
    assert.not.ok(refusal.ok, text);
    if (!refusal.ok)
      assert.equal([refusal.code, refusal.path, refusal.offset], [code, path, offset]);
    const described = describeCxl(protocolId, hex(text));
    assert.equal(described.refusal, refusal.ok ? undefined : refusal, text);
  }
});

refuses('a mutated message decodes to itself or is refused, and never throws', () => {
  for (const [, protocolId, name, bytes] of all) {
    for (const mutation of mutations(tableOf(protocolId, bytes), bytes)) {
      const decoded = decodeCxl(protocolId, mutation.bytes);
      assert.is(describeCxl(protocolId, mutation.bytes).refusal === undefined, decoded.ok);
      if (decoded.ok) assert.is(decoded.size, mutation.bytes.length, `${name} ${mutation.name}`);
      secondarySessionPsks(mutation.bytes);
    }
  }
});

refuses('any bytes end in a value or a refusal inside the payload', () => {
  const anyPayload = fc.tuple(
    fc.integer({ min: 0, max: 3 }),
    fc.constantFrom(...Object.values(TspOpCodes)),
    fc.uint8Array({ maxLength: 400 }),
  );
  const check = ([protocolId, opCode, tail]: [number, number, Uint8Array]) => {
    const payload =
      protocolId === CXL_TSP ? Uint8Array.of(0x10, opCode, ...tail) : Uint8Array.from(tail);
    const decoded = decodeCxl(protocolId, payload);
    if (!decoded.ok) assert.ok(decoded.offset >= 0 && decoded.offset <= payload.length);
    describeCxl(protocolId, payload);
    secondarySessionPsks(payload);
  };
  fc.assert(fc.property(anyPayload, check), { seed: 1, numRuns: 3000 });
});

refuses.run();

const psks = suite('cxl secondary session PSKs');

psks('the captured message gives the hint of PSK_EXCHANGE and the key of its session', () => {
  const found = secondarySessionPsks(last('SET_TARGET_CONFIGURATION'));
  assert.is(found.length, 1);
  // PSKHint of message 123 and key of session 0xfffefffe, with which message 125 opens
  assert.is(toHex(found[0]!.hint), '5345434f4e444152595f53455353494f4e5f305f50534b00');
  assert.is(
    toHex(found[0]!.psk),
    'aaab5b355cdc36be7f01540b17beb59cb767b3c0fd8f37fca7eb1482b45550dc',
  );
});

psks('only keys whose validity flag is set', () => {
  for (let flags = 0; flags < 0x40; flags++) {
    const message = last('SET_TARGET_CONFIGURATION').slice();
    message[192] = flags;
    for (let n = 0; n < 4; n++) message.fill(0xa0 + n, 224 + 32 * n, 256 + 32 * n);
    const expected = [0, 1, 2, 3]
      .filter((n) => flags & (1 << n))
      .map((n) => ({
        hint: ascii(`SECONDARY_SESSION_${n}_PSK\0`),
        psk: new Uint8Array(32).fill(0xa0 + n),
      }));
    assert.equal(secondarySessionPsks(message), expected);
  }
});

psks('none from another message or a broken one', () => {
  const message = last('SET_TARGET_CONFIGURATION');
  assert.equal(secondarySessionPsks(z(0)), []);
  assert.equal(secondarySessionPsks(last('GET_TARGET_CONFIGURATION_RSP')), []);
  assert.equal(secondarySessionPsks(message.slice(0, -1)), []);
  assert.equal(secondarySessionPsks(hex(message, '00')), []);
  const other = message.slice();
  other[1] = TspOpCodes.SET_TARGET_CKID_SPECIFIC_KEY;
  assert.equal(secondarySessionPsks(other), []);
});

psks.run();
