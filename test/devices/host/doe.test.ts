import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DoeDriver } from '../../../devices/host/doe.ts';
import { concat } from '../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import { encodeObject, VENDOR_PCI_SIG } from '../../../protocols/doe/object.ts';
import { S } from '../../../sim/kernel/index.ts';
import { type Machine, machineAt } from '../machine.ts';

const test = suite('host: DOE driver');

const POLL = 50_000_000;
const GET_VERSION = Uint8Array.of(0x10, 0x84, 0, 0);

function driverOf(machine: Machine): DoeDriver {
  const base = machine.capability(0, 'Data Object Exchange');
  return new DoeDriver(machine.kernel, machine.complex, 0x0100, base, POLL);
}
const packet = (bytes: Uint8Array, secured = false) => ({ bytes, secured });

test('an exchange by configuration TLPs, and the objects it was, whole', () => {
  const machine = machineAt('enumerated');
  const doe = driverOf(machine);
  machine.forget();
  const answer = machine.run(() => doe.exchange(packet(GET_VERSION)));
  assert.not(isPeerFault(answer));
  if (isPeerFault(answer)) return;
  assert.is(answer.bytes[1], 0x04);
  assert.is(answer.secured, false);
  const [request, response, ...more] = machine.of('doe');
  const type = { VendorID: VENDOR_PCI_SIG, DataObjectType: 1 };
  assert.equal(request, {
    direction: 'request',
    object: encodeObject({ ...type, payload: GET_VERSION }),
  });
  assert.is(response!.direction, 'response');
  assert.equal(response!.object, encodeObject({ ...type, payload: answer.bytes }));
  assert.is(more.length, 0);
  assert.is(doe.counts.exchanges, 1);
});

test('Discovery lists Discovery, CMA/SPDM and Secured CMA/SPDM', () => {
  const machine = machineAt('enumerated');
  const types = machine.run(() => driverOf(machine).open(1));
  assert.not(isPeerFault(types));
  if (isPeerFault(types)) return;
  assert.equal(
    types.map((each) => [each.VendorID, each.DataObjectType]),
    [
      [1, 0],
      [1, 1],
      [1, 2],
    ],
  );
});

test('a silent DSM is a timeout after a second, and the mailbox is free again', () => {
  const machine = machineAt('enumerated');
  const doe = driverOf(machine);
  const { mailbox } = machine.endpoint.dsm;
  const { respond } = mailbox;
  mailbox.respond = (ticket) => mailbox.drop(ticket);
  const start = machine.kernel.now;
  const silent = machine.run(() => doe.exchange(packet(GET_VERSION)));
  assert.is(isPeerFault(silent) && silent.code, 'DOE_TIMEOUT');
  const took = machine.kernel.now - start;
  assert.ok(took >= S && took < S + S / 10, `${took} ps`);
  mailbox.respond = respond;
  assert.not(isPeerFault(machine.run(() => doe.exchange(packet(GET_VERSION)))));
});

test('answers that are no answers are faults by name', () => {
  const type = { VendorID: VENDOR_PCI_SIG, DataObjectType: 1 };
  const good = encodeObject({ ...type, payload: GET_VERSION });
  const rows: [name: string, object: Uint8Array, code: string][] = [
    [
      'another type',
      encodeObject({ ...type, DataObjectType: 2, payload: GET_VERSION }),
      'DOE_WRONG_OBJECT',
    ],
    [
      'another vendor',
      encodeObject({ ...type, VendorID: 2, payload: GET_VERSION }),
      'DOE_WRONG_OBJECT',
    ],
    ['length 1', good.map((byte, i) => (i === 4 ? 1 : byte)), 'DOE_BAD_LENGTH'],
    ['more than it says', concat(good, new Uint8Array(8)), 'DOE_SURPLUS'],
    ['less than it says', good.map((byte, i) => (i === 4 ? 9 : byte)), 'DOE_DROPPED'],
  ];
  for (const [name, object, code] of rows) {
    const machine = machineAt('enumerated');
    const doe = driverOf(machine);
    const { mailbox } = machine.endpoint.dsm;
    const { respond } = mailbox;
    mailbox.respond = (ticket) => respond.call(mailbox, ticket, object);
    const answer = machine.run(() => doe.exchange(packet(GET_VERSION)));
    // A responder that runs dry inside a response sets Error when the driver takes one DW too many.
    const allowed = code === 'DOE_DROPPED' ? ['DOE_DROPPED', 'DOE_ERROR'] : [code];
    assert.ok(
      isPeerFault(answer) && allowed.includes(answer.code),
      `${name}: ${JSON.stringify(answer)}`,
    );
    mailbox.respond = respond;
    assert.not(isPeerFault(machine.run(() => doe.exchange(packet(GET_VERSION)))), name);
  }
});

test('a device that is gone is a fault, not an exception', () => {
  const machine = machineAt('enumerated');
  const doe = driverOf(machine);
  machine.platform.link.interpose(() => () => []);
  const answer = machine.run(() => doe.exchange(packet(GET_VERSION)));
  assert.ok(isPeerFault(answer));
});

test.run();
