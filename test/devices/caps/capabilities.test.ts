import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DoeCapability } from '../../../devices/caps/doe.ts';
import { IdeCapability } from '../../../devices/caps/ide.ts';
import { MsixCapability } from '../../../devices/caps/msix.ts';
import {
  PcieCapability,
  type PcieCapabilityOptions,
  PortTypes,
  sizeCode,
} from '../../../devices/caps/pcie.ts';
import { PowerManagementCapability } from '../../../devices/caps/power-management.ts';
import { RegisterBlock, type RegisterChange, whole } from '../../../devices/caps/register-block.ts';
import { ConfigSpace } from '../../../devices/config-space.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { DoeMailbox, type MailboxOutcome } from '../../../protocols/doe/mailbox.ts';

const hex = (dw: number) => (dw >>> 0).toString(16).padStart(8, '0');
const local = (name: string) => (e: unknown) =>
  e instanceof LocalError && e.message.startsWith(name);
const ignore = () => {};
const endpoint = () => new ConfigSpace({ type: 0, vendorId: 1, deviceId: 2, classCode: 0x120000 });

const block = suite('register block');
block('refuses fields that overlap, repeat or leave', () => {
  const rw = { lsb: 0, width: 8, access: 'RW' } as const;
  const rows = [
    [whole('a', 0, 4, 'RW'), whole('b', 2, 2, 'RO')],
    [whole('a', 0, 2, 'RW'), whole('a', 2, 2, 'RW')],
    [whole('a', 8, 4, 'RW')],
    [{ name: 'a', offset: 0, bytes: 1, fields: [{ ...rw, name: 'x', width: 9 }] } as const],
    [{ name: 'a', offset: 3, bytes: 2, fields: [{ ...rw, name: 'x', width: 16 }] } as const],
  ];
  for (const registers of rows)
    assert.throws(() => new RegisterBlock(8, registers), local('registers'));
});
block('W1 triggers once per write of 1, reads 0, is no change', () => {
  const fired: string[] = [];
  const registers = [
    { name: 'r', offset: 0, bytes: 2, fields: [{ name: 'go', lsb: 9, access: 'W1' }] },
  ] as const;
  const one = new RegisterBlock(4, registers, (name) => fired.push(name));
  const changes: RegisterChange[] = [];
  for (const [value, enable] of [
    [0, 15],
    [0x200, 15],
    [0x200, 1],
    [0xffff, 2],
  ] as const)
    one.write(0, value, enable, (change) => changes.push(change));
  assert.equal(fired, ['r.go', 'r.go']);
  assert.equal([one.read(0), changes.length], [0, 0]);
});
block.run();

const pcie = suite('pci express capability');
const dws = (options: PcieCapabilityOptions) => {
  const capability = new PcieCapability(options);
  return Array.from({ length: 15 }, (_, i) => hex(capability.read(4 * i)));
};
pcie('endpoint with FLR and TEE-IO, Gen5 x16', () => {
  assert.equal(
    dws({ portType: PortTypes.ENDPOINT, flr: true, teeIo: true, generation: 5, lanes: 16 }),
    [
      '00020000', // version 2, Endpoint
      '50008022', // TEE-IO bit 30, FLR bit 28, RBER, ExtTag, MPS 512
      '00002910', // MRRS 512, No Snoop, ExtTag, RO
      '00400105', // ASPM optionality, x16, 32 GT/s
      '01050000', // link status x16, 32 GT/s
      '00000000',
      '00000000',
      '00000000',
      '00000000',
      '00030010',
      '00000000',
      '0000003e', // 2.5 to 32 GT/s
      '00000005',
      '00000000',
      '00000000',
    ],
  );
});
pcie('root port Gen4 x4, port 3', () => {
  const words = dws({
    portType: PortTypes.ROOT_PORT,
    generation: 4,
    lanes: 4,
    portNumber: 3,
    maxPayloadBytes: 128,
  });
  assert.equal(words.slice(0, 5), ['00420000', '00008020', '00002910', '03500044', '20440000']);
});
pcie('RCiEP has no link registers', () => {
  const words = dws({ portType: PortTypes.RCIEP, teeIo: true });
  assert.equal(
    [words[3], words[4], words[11], words[12]],
    ['00000000', '00000000', '00000000', '00000000'],
  );
});
pcie('Device Control: FLR starts, sizes, reserved codes are discarded', () => {
  let flr = 0;
  const config = endpoint();
  const capability = new PcieCapability({
    portType: PortTypes.ENDPOINT,
    flr: true,
    onFlr: () => {
      flr++;
      config.reset('flr');
    },
  });
  const at = config.addCapability(capability);
  const seen: string[] = [];
  config.onChange((change) => seen.push(`${change.register} ${change.from}>${change.to}`));
  config.write(at + 8, (2 << 5) | (5 << 12) | 0x910, 0x3);
  assert.equal([capability.maxPayloadBytes, capability.maxReadRequestBytes], [512, 4096]);
  config.write(at + 8, (7 << 5) | (6 << 12) | 0x910, 0x3);
  assert.equal([capability.maxPayloadBytes, capability.maxReadRequestBytes], [512, 4096]);
  assert.equal(seen, [
    'Device Control.Max_Payload_Size 0>2',
    'Device Control.Max_Read_Request_Size 2>5',
  ]);
  config.write(0x04, 6);
  config.write(at + 8, 0x8000 | (2 << 5) | (5 << 12), 0x3);
  assert.is(flr, 1);
  assert.is(config.get('Command.MSE'), 0);
  assert.equal([capability.maxPayloadBytes, capability.maxReadRequestBytes], [512, 512]);
  assert.is(capability.read(8) & 0x8000, 0);
});
pcie('without the capability bit, Initiate_FLR does nothing', () => {
  let flr = 0;
  const capability = new PcieCapability({ portType: PortTypes.ENDPOINT, onFlr: () => flr++ });
  capability.write(8, 0x8000, 0xf, ignore);
  assert.is(flr, 0);
});
pcie('link goes down, comes up slower; retrain; errors are RW1C', () => {
  let retrained = 0;
  const port = new PcieCapability({
    portType: PortTypes.DOWNSTREAM_PORT,
    onRetrain: () => retrained++,
  });
  port.setLink(undefined);
  assert.is(hex(port.read(0x10)), '00010000');
  port.setLink({ generation: 3, lanes: 8 });
  assert.is(hex(port.read(0x10)), '20830000');
  port.write(0x10, 0x20, 0x1, ignore);
  assert.is(retrained, 1);
  port.registers.set('Device Status.Fatal_Error_Detected', 1);
  port.registers.set('Device Status.Unsupported_Request_Detected', 1);
  port.write(0x08, 0x00040000, 0xc, ignore);
  assert.is(port.read(0x08) >>> 16, 8);
  port.write(0x30, 0x6, 0x1, ignore);
  assert.is(port.read(0x30), 5, 'a speed the link lacks');
  port.write(0x30, 0x2, 0x1, ignore);
  assert.is(port.read(0x30), 2);
});
pcie('caller mistakes throw by name', () => {
  const make = (options: Partial<PcieCapabilityOptions>) => () =>
    new PcieCapability({ portType: PortTypes.ROOT_PORT, ...options });
  assert.throws(make({ flr: true }), local('flr'));
  assert.throws(make({ generation: 8 }), local('generation'));
  assert.throws(make({ lanes: 3 }), local('lanes'));
  assert.throws(make({ maxPayloadBytes: 100 }), local('bytes'));
  assert.equal([128, 256, 512, 1024, 2048, 4096].map(sizeCode), [0, 1, 2, 3, 4, 5]);
});
pcie.run();

const msix = suite('msi-x and power management');
msix('MSI-X registers', () => {
  const capability = new MsixCapability({
    vectors: 2048,
    table: { bir: 2, offset: 0x4000 },
    pba: { bir: 5, offset: 0xfffffff8 },
  });
  const config = endpoint();
  const at = config.addCapability(capability);
  config.write(at, 0xffffffff);
  assert.equal(
    [at, at + 4, at + 8].map((o) => hex(config.read(o))),
    ['c7ff0011', '00004002', 'fffffffd'],
  );
  assert.throws(
    () => new MsixCapability({ vectors: 0, table: capability.table, pba: capability.pba }),
    local('vectors'),
  );
  assert.throws(
    () => new MsixCapability({ vectors: 1, table: { bir: 6, offset: 0 }, pba: capability.pba }),
    local('table.bir'),
  );
  assert.throws(
    () => new MsixCapability({ vectors: 1, table: capability.table, pba: { bir: 0, offset: 4 } }),
    local('pba.offset'),
  );
});
msix('power states: unsupported ones are discarded, D3hot to D0 may reset', () => {
  for (const noSoftReset of [false, true]) {
    const moves: string[] = [];
    const capability = new PowerManagementCapability({
      d1: true,
      noSoftReset,
      pmeSupport: 0x1f,
      onPowerState: (from, to, reset) => moves.push(`${from}>${to}${reset ? ' reset' : ''}`),
    });
    assert.is(hex(capability.read(0)), 'fa030000');
    for (const state of [1, 2, 3, 3, 0]) capability.write(4, state, 0x1, ignore);
    assert.equal(moves, ['0>1', '1>3', noSoftReset ? '3>0' : '3>0 reset']);
    capability.write(4, 0x100, 0x2, ignore);
    capability.reset('conventional');
    assert.is(capability.read(4) & 0x100, 0x100, 'PME_En is sticky');
  }
  assert.throws(() => new PowerManagementCapability({ pmeSupport: 32 }), local('pmeSupport'));
});
msix.run();

const adapters = suite('doe and ide capabilities');
adapters('DOE: registers, outcomes, changes, reset', () => {
  const outcomes: MailboxOutcome[] = [];
  const mailbox = new DoeMailbox({
    types: [{ VendorID: 1, DataObjectType: 1 }],
    interruptMessage: 2,
  });
  const config = endpoint();
  const at = config.addExtendedCapability(new DoeCapability(mailbox, 2, (o) => outcomes.push(o)));
  const second = new DoeMailbox({ types: [] });
  config.addExtendedCapability(new DoeCapability(second, 1, ignore));
  const seen: RegisterChange[] = [];
  config.onChange((change) => seen.push(change));
  assert.equal(
    [0x100, 0x104, 0x118].map((o) => hex(config.read(o))),
    ['1182002e', '00000005', '0001002e'],
  );
  for (const dw of [0x00010001, 3, 0x8410]) config.write(at + 0x10, dw);
  config.write(at + 0x08, 0x80000002);
  assert.equal(
    outcomes.map((o) => o.type),
    ['collected', 'collected', 'collected', 'object'],
  );
  assert.equal(seen, [
    { register: 'DOE Control.Interrupt_Enable', from: 0, to: 1, offset: at + 8 },
  ]);
  assert.equal(
    [config.read(at + 0xc), config.read(0x118 + 0xc)],
    [1, 0],
    'instances are independent',
  );
  config.reset('flr');
  assert.is(outcomes.at(-1)?.cancelled, 1);
  assert.equal([config.read(at + 0xc), config.read(at + 8)], [0, 0]);
});
adapters('IDE: passes accesses on, names changes, hands results over', () => {
  const store = new Uint32Array(8);
  const resets: string[] = [];
  const registers = {
    size: 32,
    read: (offset: number) => store[offset / 4]!,
    write: (offset: number, value: number, byteEnable: number) => {
      if (offset >= 8 && byteEnable === 0xf) store[offset / 4] = value;
      return [`wrote ${offset}`];
    },
    registerName: (offset: number) => (offset === 8 ? 'IDE Control' : undefined),
    reset: (kind: string) => resets.push(kind),
  };
  const results: string[] = [];
  const config = endpoint();
  const at = config.addExtendedCapability(new IdeCapability(registers, (r) => results.push(...r)));
  const seen: RegisterChange[] = [];
  config.onChange((change) => seen.push(change));
  config.write(at + 4, 1);
  config.write(at + 8, 0xffffffff);
  config.write(at + 0x14, 5);
  config.write(at + 0x14, 6, 0x3);
  config.reset('conventional');
  assert.is(hex(config.read(at)), '00010030');
  assert.equal(results, ['wrote 4', 'wrote 8', 'wrote 20', 'wrote 20']);
  assert.equal(
    seen.map((c) => `${c.register} ${c.from}>${c.to}`),
    ['IDE Control 0>4294967295', 'IDE+14h 0>5'],
  );
  assert.equal(resets, ['conventional']);
  assert.throws(() => new IdeCapability({ ...registers, size: 10 }), local('registers.size'));
});
adapters.run();
