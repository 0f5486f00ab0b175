/** The code tables, pinned value by value, and the columns of the type table against each other. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as codes from '../../../protocols/tlp/codes.ts';

const tables = suite('tlp codes');
tables('types: byte 0, flow class, route', () => {
  const rows = codes.TLP_TYPES.map(
    (type) =>
      `${type.name} ${codes.byte0Of(type).toString(16).padStart(2, '0')} ${codes.SUB_STREAM_NAMES[type.flow]} ${type.header} ${type.route}`,
  );
  assert.equal(rows, [
    'MRd32 00 NPR memory32 0',
    'MRd64 20 NPR memory64 0',
    'MRdLk32 01 NPR memory32 0',
    'MRdLk64 21 NPR memory64 0',
    'MWr32 40 PR memory32 0',
    'MWr64 60 PR memory64 0',
    'IORd 02 NPR memory32 0',
    'IOWr 42 NPR memory32 0',
    'CfgRd0 04 NPR config 1',
    'CfgWr0 44 NPR config 1',
    'CfgRd1 05 NPR config 1',
    'CfgWr1 45 NPR config 1',
    'Cpl 0a CPL completion 1',
    'CplD 4a CPL completion 1',
    'CplLk 0b CPL completion 1',
    'CplDLk 4b CPL completion 1',
    'FetchAdd32 4c NPR memory32 0',
    'FetchAdd64 6c NPR memory64 0',
    'Swap32 4d NPR memory32 0',
    'Swap64 6d NPR memory64 0',
    'CAS32 4e NPR memory32 0',
    'CAS64 6e NPR memory64 0',
    'DMWr32 5b NPR memory32 0',
    'DMWr64 7b NPR memory64 0',
    'Msg 30 PR message 2',
    'MsgD 70 PR message 2',
  ]);
});
tables('a name finds its row, another finds none', () => {
  for (const type of codes.TLP_TYPES) assert.is(codes.tlpType(type.name), type);
  assert.is(codes.tlpType('MRd'), undefined);
  assert.is(codes.TYPE_INDEX.length, 256);
});
tables('messages: code, routings, data', () => {
  const rows = codes.MESSAGE_CODES.map(
    ({ code, name, routings, data }) => `${code.toString(16)} ${name} ${routings.join('')} ${data}`,
  );
  assert.equal(rows, [
    '0 Unlock 3 no',
    '1 Invalidate Request 2 yes',
    '2 Invalidate Completion 2 no',
    '4 Page Request 0 no',
    '5 PRG Response 2 no',
    '10 LTR 4 no',
    '12 OBFF 4 no',
    '14 PM_Active_State_Nak 4 no',
    '18 PM_PME 0 no',
    '19 PME_Turn_Off 3 no',
    '1b PME_TO_Ack 5 no',
    '20 Assert_INTA 4 no',
    '21 Assert_INTB 4 no',
    '22 Assert_INTC 4 no',
    '23 Assert_INTD 4 no',
    '24 Deassert_INTA 4 no',
    '25 Deassert_INTB 4 no',
    '26 Deassert_INTC 4 no',
    '27 Deassert_INTD 4 no',
    '30 ERR_COR 0 no',
    '31 ERR_NONFATAL 0 no',
    '33 ERR_FATAL 0 no',
    '50 Set_Slot_Power_Limit 4 yes',
    '52 PTM Request 4 no',
    '53 PTM Response 4 either',
    '54 IDE_Sync 24 either',
    '55 IDE_Fail 24 either',
    '7e Vendor_Defined Type 0 0234 either',
    '7f Vendor_Defined Type 1 0234 either',
  ]);
  assert.is(codes.messageByCode(0x1b)?.name, 'PME_TO_Ack');
  assert.is(codes.messageByCode(0x1a), undefined);
});
tables('statuses, routings, flow classes, prefixes', () => {
  assert.equal(codes.CompletionStatuses, { SC: 0, UR: 1, RRS: 2, CA: 4 });
  for (const [name, value] of Object.entries(codes.CompletionStatuses))
    assert.is(codes.COMPLETION_STATUS_NAMES[value], name);
  assert.equal(Object.values(codes.MessageRoutings), [0, 1, 2, 3, 4, 5]);
  assert.is(codes.MESSAGE_ROUTING_NAMES.length, codes.MESSAGE_ROUTING_MAX + 1);
  assert.equal(codes.FlowClasses, { POSTED: 0, NON_POSTED: 1, COMPLETION: 2 });
  const prefixes = codes.PREFIX_CODES.map(({ byte0, name }) => `${byte0.toString(16)} ${name}`);
  assert.equal(prefixes, [
    '80 MR-IOV',
    '8e VendPrefixL0',
    '8f VendPrefixL1',
    '90 ExtTPH',
    '91 PASID',
    '92 IDE',
    '9e VendPrefixE0',
    '9f VendPrefixE1',
  ]);
  for (const { byte0, endEnd } of codes.PREFIX_CODES) assert.is(endEnd, (byte0 & 0x10) !== 0);
});
tables.run();
