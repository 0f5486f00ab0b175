import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Completed, PciePort, type Received } from '../../devices/pcie-port.ts';
import type { SimRecords } from '../../devices/records.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import { IdePort } from '../../protocols/ide/port.ts';
import {
  cfgWrite,
  completion,
  completionFor,
  memoryRead,
  memoryWrite,
  splitCompletions,
  tag,
} from '../../protocols/tlp/index.ts';
import { Kernel, US } from '../../sim/kernel/index.ts';

const test = suite('PCIe port');

const RID = 0x0101;
const COMPLETER = 0x0008;
const TIMEOUT = 10 * US;

function setUp() {
  const kernel = new Kernel<SimRecords>({ seed: 1 });
  const sent: Uint8Array[] = [];
  const requests: Received[] = [];
  const drops: string[] = [];
  kernel.bus.on('tlp-dropped', ({ data }) => drops.push(`${data.code}: ${data.reason}`));
  const port = new PciePort(kernel, {
    name: 'port',
    ide: new IdePort({ crypto: nodeProvider, role: 'endpoint', rid: RID, selective: [] }),
    send: (bytes) => sent.push(bytes),
    onRequest: (request) => requests.push(request),
    onEffects: () => {},
    idePs: 0,
    completionTimeoutPs: TIMEOUT,
  });
  /** Starts a read; the result comes to be when the kernel runs. */
  const read = (address: number, length: number) => {
    const build = (number: number) =>
      memoryRead({ requesterId: RID, tag: number, address, length });
    return kernel.spawn('read', port.request(build, false));
  };
  const result = (process: ReturnType<typeof read>): Completed | undefined =>
    process.outcome?.status === 'done' ? process.outcome.value : undefined;
  const step = (ps = 0) => kernel.run(kernel.now + ps);
  return { kernel, port, sent, requests, drops, read, result, step };
}

const bytes = (length: number, from = 1) => Uint8Array.from({ length }, (_, i) => from + i);
const parts = (request: Uint8Array, data: Uint8Array, rcb: number, maxPayload = rcb) =>
  splitCompletions(request, { completerId: COMPLETER, data, rcb, maxPayload });

test('a read is answered with its bytes, whatever its alignment and however it is split', () => {
  const rows: [address: number, length: number][] = [
    [0x1000, 4],
    [0x1001, 1],
    [0x1003, 2],
    [0x103f, 130],
    [0x1000, 256],
    [0x1002, 61],
    [0x1000, 0],
    [0x1_0000_0ffd, 3],
  ];
  for (const [address, length] of rows)
    for (const rcb of [64, 128]) {
      const { port, sent, read, result, step } = setUp();
      const process = read(address, length);
      step();
      const data = bytes(length);
      const answer = parts(sent[0]!, data, rcb);
      for (const [i, part] of answer.entries()) {
        port.receive(part);
        step();
        const last = i === answer.length - 1;
        assert.is(result(process) !== undefined, last, `${address}+${length} part ${i}`);
      }
      assert.equal(result(process), { status: 'SC', data });
      assert.is(port.pending, 0);
    }
});

test('completion statuses come back by name; a reserved one counts as UR', () => {
  const rows: [status: number, name: string][] = [
    [1, 'UR'],
    [2, 'RRS'],
    [4, 'CA'],
    [3, 'UR'],
    [7, 'UR'],
  ];
  for (const [status, name] of rows) {
    const { port, sent, read, result, step } = setUp();
    const process = read(0x1000, 64);
    step();
    port.receive(completionFor(sent[0]!, { completerId: COMPLETER, status }));
    step();
    assert.is(result(process)?.status, name, `status ${status}`);
    assert.is(port.pending, 0);
  }
});

test('a failure may come after the first parts of the data', () => {
  const { port, sent, read, result, step } = setUp();
  const process = read(0x1000, 128);
  step();
  port.receive(parts(sent[0]!, bytes(128), 64)[0]!);
  port.receive(completionFor(sent[0]!, { completerId: COMPLETER, status: 4 }));
  step();
  assert.is(result(process)?.status, 'CA');
});

test('a poisoned completion is none to trust', () => {
  const { port, sent, read, result, step } = setUp();
  const process = read(0x1000, 4);
  step();
  const answer = { completerId: COMPLETER, data: bytes(4), poisoned: true };
  port.receive(completionFor(sent[0]!, answer));
  step();
  assert.is(result(process)?.status, 'poisoned');
});

test('a configuration write is done when its completion without data is there', () => {
  const { kernel, port, sent, step } = setUp();
  const build = (number: number) =>
    cfgWrite({
      ...{ requesterId: COMPLETER, tag: number, type: 0, destinationId: RID },
      ...{ register: 4, data: 6 },
    });
  const process = kernel.spawn('write', port.request(build, false));
  step();
  assert.is(process.outcome, undefined);
  port.receive(completionFor(sent[0]!, { completerId: RID }));
  step();
  assert.equal(process.outcome, {
    status: 'done',
    value: { status: 'SC', data: new Uint8Array(0) },
  });
});

test('without a completion the request times out, exactly then, and its tag is not used again', () => {
  const { kernel, port, sent, drops, read, result, step } = setUp();
  const process = read(0x1000, 4);
  step(TIMEOUT - 1);
  assert.is(result(process), undefined);
  step(1);
  assert.is(result(process)?.status, 'timeout');
  port.receive(completionFor(sent[0]!, { completerId: COMPLETER, data: bytes(4) }));
  step();
  assert.equal(drops, ['UNEXPECTED_COMPLETION: no request of tag 0 is outstanding']);
  // 255 tags are left: a late completion can meet none of the next requests.
  for (let i = 0; i < 300; i++) read(0x1000, 4);
  step();
  assert.is(sent.length, 1 + 255);
  assert.not(sent.slice(1).some((request) => tag(request) === 0));
  assert.is(kernel.processes.length, 300);
});

test('with every tag lost to a timeout a request is refused, the waiting ones too', () => {
  const { sent, read, result, step } = setUp();
  const all = Array.from({ length: 260 }, () => read(0x1000, 4));
  step();
  for (const each of all.slice(0, 10)) each.cancel();
  step(2 * TIMEOUT);
  assert.is(sent.length, 256);
  for (const each of all.slice(256)) assert.is(result(each)?.status, 'blocked');
  const late = read(0x1000, 4);
  step();
  assert.is(result(late)?.status, 'blocked');
});

test('with all tags out a request waits for one to come back', () => {
  const { port, sent, read, result, step } = setUp();
  const all = Array.from({ length: 258 }, () => read(0x1000, 4));
  step();
  assert.is(sent.length, 256);
  assert.is(new Set(sent.map(tag)).size, 256);
  port.receive(completionFor(sent[7]!, { completerId: COMPLETER, data: bytes(4) }));
  step();
  assert.is(sent.length, 257);
  assert.is(tag(sent[256]!), 7);
  assert.is(result(all[7]!)?.status, 'SC');
  assert.is(result(all[257]!), undefined);
});

test('completions nobody asked for, twice, of another requester or with the wrong count are dropped', () => {
  type Request = Uint8Array;
  const data = bytes(8);
  const base = { completerId: COMPLETER, requesterId: RID };
  const rows: [name: string, make: (request: Request) => Uint8Array, drop: RegExp][] = [
    [
      'tag',
      (r) => completion({ ...base, tag: tag(r) + 1, byteCount: 8, data }),
      /no request of tag 1/,
    ],
    [
      'requester',
      (r) => completion({ ...base, requesterId: 0x0100, tag: tag(r), byteCount: 8, data }),
      /no request of tag 0/,
    ],
    [
      'too few bytes',
      (r) => completion({ ...base, tag: tag(r), byteCount: 4, data: bytes(4) }),
      /byte count 4, 8 are left/,
    ],
    [
      'too many bytes',
      (r) => completion({ ...base, tag: tag(r), byteCount: 12, data: bytes(12) }),
      /byte count 12, 8 are left/,
    ],
    [
      'no data',
      (r) => completion({ ...base, tag: tag(r), byteCount: 8, lowerAddress: 3 }),
      /no data where 8 bytes are left/,
    ],
  ];
  for (const [name, make, drop] of rows) {
    const { port, sent, drops, read, result, step } = setUp();
    const process = read(0x1000, 8);
    step();
    for (let i = 0; i < 3; i++) port.receive(make(sent[0]!));
    step();
    assert.is(result(process), undefined, name);
    assert.is(drops.length, 3, name);
    for (const each of drops) assert.match(each, drop);
    const good = completionFor(sent[0]!, { completerId: COMPLETER, data });
    port.receive(good);
    port.receive(good);
    step();
    assert.equal(result(process), { status: 'SC', data }, name);
    port.receive(good);
    step();
    assert.match(drops.at(-1)!, /UNEXPECTED_COMPLETION/);
  }
});

test('a request called off takes no data, and its tag is free only after its completion', () => {
  const { port, sent, drops, read, step } = setUp();
  const process = read(0x1000, 128);
  step();
  process.cancel();
  step();
  const others = Array.from({ length: 256 }, () => read(0x1000, 4));
  step();
  assert.is(sent.length, 256, 'the tag is still taken');
  const [first, second] = parts(sent[0]!, bytes(128), 64);
  port.receive(first!);
  step();
  assert.is(sent.length, 256);
  port.receive(second!);
  step();
  assert.equal(drops, ['UNEXPECTED_COMPLETION: its request was called off']);
  assert.is(sent.length, 257, 'the tag is free again');
  assert.is(tag(sent[256]!), 0);
  for (const request of sent.slice(1))
    port.receive(completionFor(request, { completerId: COMPLETER, data: bytes(4) }));
  step();
  assert.ok(others.every((each) => each.outcome?.status === 'done'));
  assert.is(port.pending, 0);
});

test('a process that is cancelled as its completion comes gives its tag back', () => {
  const { port, sent, read, step } = setUp();
  for (let i = 0; i < 600; i++) {
    const process = read(0x1000, 4);
    step();
    port.receive(completionFor(sent.at(-1)!, { completerId: COMPLETER, data: bytes(4) }));
    process.cancel();
    step();
  }
  assert.is(sent.length, 600);
  assert.is(port.pending, 0);
});

test('abort ends what is outstanding', () => {
  const { port, read, result, step } = setUp();
  const process = read(0x1000, 4);
  step();
  port.abort('link down');
  step();
  assert.equal(result(process), { status: 'UR', reason: 'link down' });
});

test('requests go up in order, malformed ones do not', () => {
  const { port, requests, drops, step } = setUp();
  const good = memoryWrite({ requesterId: 8, address: 0x1000, data: bytes(8) });
  // 8 bytes at 0x1ffc: nothing but the address says that they cross into the next page.
  const crossing = good.slice();
  crossing[10] = 0x1f;
  crossing[11] = 0xfc;
  const rows: [name: string, tlp: Uint8Array, passes: boolean][] = [
    ['good', good, true],
    ['cut short', good.slice(0, 15), false],
    ['too long', Uint8Array.from([...good, 0, 0, 0, 0]), false],
    ['crosses 4 KiB', crossing, false],
    ['byte enables', good.map((b, i) => (i === 7 ? 0xf0 : b)), false],
    ['empty', new Uint8Array(0), false],
    ['unknown type', good.map((b, i) => (i === 0 ? 0x5f : b)), false],
  ];
  for (const [name, tlp, passes] of rows) {
    requests.length = 0;
    drops.length = 0;
    port.receive(tlp);
    step();
    assert.is(requests.length, passes ? 1 : 0, name);
    assert.is(drops.length, passes ? 0 : 1, name);
    if (!passes) assert.match(drops[0]!, /^MALFORMED_TLP/);
  }
});

test('no bytes off the wire throw, or answer a request they do not name', () => {
  const { port, sent, read, result, step } = setUp();
  const process = read(0x1000, 64);
  step();
  const whole = completionFor(sent[0]!, { completerId: COMPLETER, data: bytes(64) });
  const flip = fc.tuple(fc.nat(whole.length * 8 - 1), fc.nat(whole.length * 8 - 1));
  const wild = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    flip.map(([a, b]) =>
      whole.map((byte, i) => {
        const mask = (i === a >> 3 ? 1 << (a & 7) : 0) | (i === b >> 3 ? 1 << (b & 7) : 0);
        return byte ^ (i < 12 ? mask : 0);
      }),
    ),
  );
  fc.assert(
    fc.property(wild, (tlp) => {
      port.receive(tlp);
      step();
    }),
    { seed: 1, numRuns: 2000 },
  );
  const done = result(process);
  assert.ok(done === undefined || done.status !== 'SC' || done.data.length === 64);
});

test.run();
