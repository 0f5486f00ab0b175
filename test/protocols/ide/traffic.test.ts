import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import type { IdePort, IdePortOptions, TransmitOptions } from '../../../protocols/ide/index.ts';
import { completion } from '../../../protocols/tlp/complete.ts';
import { encodePasidPrefix } from '../../../protocols/tlp/ide-prefix.ts';
import {
  AT,
  accepted,
  control,
  EP_ID,
  local,
  Pair,
  RP_ID,
  refused,
  STREAM_ID,
  wire,
  wires,
} from './pair.ts';
import {
  config,
  data,
  dmaRead,
  dmaWrite,
  mmioRead,
  mmioWrite,
  on,
  pass,
  reply,
  routed,
  T0,
  T1,
  unsupported,
  vendorMessage,
} from './traffic.ts';

const test = suite('ide traffic');

test('all three sub-streams in both directions, T as sent', () => {
  const { rp, ep } = new Pair().secure();
  for (let i = 0; i < 20; i++) {
    const tee = i % 2 === 0;
    const mrd = mmioRead(i);
    const dma = dmaRead(i);
    const rows: [IdePort, IdePort, Uint8Array, TransmitOptions, number][] = [
      [rp, ep, mmioWrite(4 + 4 * i), { tee }, 0],
      [rp, ep, mrd, { tee }, 1],
      [ep, rp, reply(mrd, 4, EP_ID), { tee: false, replyTo: on(tee) }, 2],
      [ep, rp, dmaWrite(64, i), { tee }, 0],
      [ep, rp, dma, { tee }, 1],
      [rp, ep, reply(dma, 64), { tee: false, replyTo: on(tee) }, 2],
      [ep, rp, vendorMessage(EP_ID, RP_ID), { tee }, 0],
    ];
    for (const [from, to, tlp, options, subStream] of rows) {
      const { last } = pass(from, to, tlp, options);
      assert.equal(
        [last.streamId, last.tee, last.subStream, last.k],
        [STREAM_ID, tee, subStream, 0],
      );
    }
  }
});

test('no payload byte crosses in the clear, MAC and prefix cost 16 bytes', () => {
  const { rp } = new Pair().secure();
  const tlp = mmioWrite(256);
  const bytes = wire(rp.transmit(tlp, T1));
  assert.is(bytes.length, tlp.length + 16);
  assert.not.match(toHex(bytes), toHex(data(256).subarray(0, 16)));
  assert.is(toHex(bytes.subarray(0, 4)), '92002105', 'M and T set, K=0, sub-stream 0');
  assert.is(toHex(bytes.subarray(4, 20)), toHex(tlp.subarray(0, 16)));
});

test('seal records: a fresh IV each, no key used for two sub-streams or directions', () => {
  const { rp, ep } = new Pair().secure();
  const seen = new Set<string>();
  const keys = new Set<string>();
  const note = (port: IdePort, tlp: Uint8Array, options: TransmitOptions) => {
    for (const seal of port.transmit(tlp, options).seals) {
      assert.not(seen.has(seal.keyId + seal.iv));
      seen.add(seal.keyId + seal.iv);
      keys.add(seal.keyId);
    }
  };
  for (let i = 0; i < 5; i++)
    for (const [port, tlp, request] of [
      [rp, mmioWrite(), mmioRead(i)],
      [ep, dmaWrite(), dmaRead(i)],
    ] as const) {
      note(port, tlp, T1);
      note(port, request, T1);
      note(port, reply(port === rp ? dmaRead(1, 4) : mmioRead(1), 4), { ...T1, replyTo: on(true) });
    }
  assert.is(keys.size, 6);
  assert.is(seen.size, 30);
  assert.ok(seen.has(`${[...keys][0]}000000000000000000000001`));
});

test('both crypto providers give the same bytes', () => {
  const sent = [nodeProvider, nobleProvider].map((crypto) => {
    const { rp, ep } = new Pair({}, crypto).secure();
    return [mmioWrite(64), mmioRead(1)]
      .map((tlp) => wire(rp.transmit(tlp, T1)))
      .concat(wire(ep.transmit(dmaWrite(), T0)))
      .map(toHex);
  });
  assert.equal(sent[0], sent[1]);
});

test('other end-end prefixes stand behind the IDE prefix and are protected', () => {
  const { rp, ep } = new Pair().secure();
  const pasid = encodePasidPrefix({
    pasid: 5,
    executeRequested: false,
    privilegedModeRequested: false,
  });
  const tlp = Uint8Array.of(...pasid, ...dmaWrite(16));
  const bytes = wire(ep.transmit(tlp, T1));
  assert.equal([bytes[0], bytes[4]], [0x92, 0x91]);
  assert.is(toHex(accepted(rp.receive(bytes)).tlp), toHex(tlp));
  const next = wire(ep.transmit(tlp, T1));
  next[7]! ^= 1;
  assert.is(refused(rp.receive(next)).code, 'MAC_FAILED');
});

// Which way a TLP goes: port, TLP, T, and the outcome.
const ways: readonly ['rp' | 'ep', string, Uint8Array, boolean, string][] = [
  ['rp', 'memory in the association', mmioWrite(), true, 'ide'],
  ['rp', 'memory in it, T=0', mmioWrite(), false, 'ide'],
  ['rp', 'memory past its limit', mmioWrite(4, 0x1000_0000), false, 'plain'],
  ['rp', 'memory past its limit, T=1', mmioWrite(4, 0x1000_0000), true, 'NO_SECURE_STREAM'],
  ['rp', 'other TC', mmioWrite(4, 0, 1), false, 'plain'],
  ['rp', 'other TC, T=1', mmioWrite(4, 0, 1), true, 'NO_SECURE_STREAM'],
  ['rp', 'message by ID', vendorMessage(RP_ID, EP_ID), false, 'ide'],
  ['rp', 'message by ID to a later function', vendorMessage(RP_ID, EP_ID + 7), false, 'ide'],
  ['rp', 'message by ID past the limit', vendorMessage(RP_ID, EP_ID + 8), false, 'plain'],
  ['rp', 'message by ID before the base', vendorMessage(RP_ID, EP_ID - 1), false, 'plain'],
  ['rp', 'broadcast message', routed(3, RP_ID), false, 'plain'],
  ['rp', 'CfgRd0', config(0), false, 'plain'],
  ['rp', 'CfgRd0, T=1', config(0), true, 'NO_SECURE_STREAM'],
  ['rp', 'CfgRd1 without config enable', config(1), false, 'plain'],
  ['ep', 'configuration, whatever the default stream', config(1), false, 'plain'],
  ['ep', 'memory by the default stream', dmaWrite(), true, 'ide'],
  ['ep', 'memory by the default stream, T=0', dmaWrite(), false, 'ide'],
  ['ep', 'message by ID to the root port', vendorMessage(EP_ID, RP_ID), false, 'ide'],
  ['ep', 'message to the root complex', routed(0), false, 'ide'],
  ['ep', 'local message', routed(4), false, 'plain'],
];
for (const [port, name, tlp, tee, outcome] of ways)
  test(`way out of the ${port}: ${name}`, () => {
    const sent = new Pair().secure()[port].transmit(tlp, { tee });
    assert.is(sent.kind === 'blocked' ? sent.code : sent.kind, outcome);
    if (sent.kind === 'plain') assert.equal([sent.tlps, sent.seals], [[tlp], []]);
    if (sent.kind === 'blocked') assert.equal([sent.tlps, sent.seals], [[], []]);
  });

test('config requests of type 1 go as IDE once enabled, type 0 never', () => {
  const pair = new Pair();
  pair.configure({ SelectiveIdeForConfigurationRequestsEnable: 1 }).key(0, 1).go(0).enable();
  const { sent, last } = pass(pair.rp, pair.ep, config(1), T0);
  assert.equal([sent.kind, last.subStream], ['ide', 1]);
  assert.is(pair.rp.transmit(config(0), T0).kind, 'plain');
});

test('an endpoint without Default Stream protects what its associations cover', () => {
  const pair = new Pair();
  pair.configure({}, {}).key(0, 1).go(0).enable();
  assert.is(pair.ep.transmit(dmaWrite(), T0).kind, 'plain');
  assert.is(pair.ep.transmit(dmaWrite(), T1).kind, 'blocked');
  assert.is(pair.ep.transmit(vendorMessage(EP_ID, RP_ID), T0).kind, 'ide');
});

test('a TEE-Limited stream takes T=1 only', () => {
  const pair = new Pair();
  const limited = { TeeLimitedStream: 1, DefaultStream: 1 };
  pair.configure({ TeeLimitedStream: 1 }, limited).key(0, 1).go(0).enable();
  assert.is(pair.ep.transmit(dmaWrite(), T0).kind, 'plain');
  for (let i = 0; i < 300; i++)
    for (const bytes of wires(pair.ep.transmit(dmaWrite(4), T1)))
      assert.is.not(pair.rp.receive(bytes).kind, 'refused');
});

test('a TEE-Limited receiver refuses T=0', () => {
  const pair = new Pair();
  pair.configure({ TeeLimitedStream: 1 }).key(0, 1).go(0).enable();
  assert.is(refused(pair.rp.receive(wire(pair.ep.transmit(dmaWrite(), T0)))).code, 'TEE_LIMITED');
});

test('Link stream: all of its TC, T=0 only', () => {
  const options: Partial<IdePortOptions> = { linkTcs: 1, selective: [] };
  const pair = new Pair(options);
  for (const port of [pair.rp, pair.ep]) port.write(0x0c, control({}));
  pair.key(0, 1).go(0);
  for (const port of [pair.ep, pair.rp]) port.write(0x0c, control({ Enable: 1 }));
  for (const tlp of [dmaWrite(), routed(4), vendorMessage(EP_ID, 0x4242)])
    assert.is(pass(pair.ep, pair.rp, tlp, T0).sent.kind, 'ide');
  assert.is(pair.ep.transmit(dmaWrite(), T1).kind, 'blocked');
  assert.is(pair.rp.transmit(config(0), T0).kind, 'plain');
  for (let i = 0; i < 300; i++)
    for (const bytes of wires(pair.ep.transmit(dmaWrite(4), T0))) {
      const got = pair.rp.receive(bytes);
      assert.is.not(got.kind, 'refused');
    }
});

// With Enable set and the stream not Secure, nothing it should protect may leak.
const insecure: readonly [string, (p: Pair) => void][] = [
  ['no keys', (p) => p.configure().enable()],
  ['keys, no GO', (p) => p.configure().key(0, 1).enable()],
  [
    'failed',
    (p) => {
      p.secure();
      p.ep.write(AT.ADDRESS, 1);
    },
  ],
  [
    'session ended',
    (p) => {
      p.secure().epKm.sessionEnded(0xffff0001);
    },
  ],
];
for (const [name, setup] of insecure)
  test(`held back while enabled and not Secure: ${name}`, () => {
    const pair = new Pair();
    setup(pair);
    for (const options of [T0, T1]) {
      const sent = pair.ep.transmit(dmaWrite(), options);
      assert.is(sent.kind === 'blocked' && sent.code, 'STREAM_NOT_SECURE');
    }
    const sent = pair.ep.transmit(reply(mmioRead(1), 4), { tee: true, replyTo: on(true) });
    assert.is(sent.kind === 'blocked' && sent.code, 'STREAM_NOT_SECURE');
    assert.is(pair.ep.transmit(dmaWrite(), T1).tlps.length, 0);
  });

test('held back after a failure even with fresh keys started', () => {
  const pair = new Pair().secure();
  for (const port of [pair.ep, pair.rp]) port.write(AT.ADDRESS, 0);
  for (const port of [pair.ep, pair.rp]) port.write(AT.RID1, 0);
  pair.key(0, 9).go(0);
  assert.is(pair.ep.transmit(dmaWrite(), T1).kind, 'blocked');
  assert.is(pair.ep.transmit(dmaWrite(), T0).kind, 'blocked');
});

test('disabled: T=0 goes without IDE, T=1 not at all', () => {
  const pair = new Pair().configure().key(0, 1).go(0);
  assert.is(pair.ep.transmit(dmaWrite(), T0).kind, 'plain');
  assert.is(pair.ep.transmit(dmaWrite(), T1).kind, 'blocked');
});

test('mistakes of the caller', () => {
  const { ep } = new Pair().secure();
  const cpl = reply(mmioRead(1), 4);
  assert.throws(() => ep.transmit(dmaWrite().subarray(1), T0), local('tlp'));
  assert.throws(() => ep.transmit(wire(ep.transmit(dmaWrite(), T0)), T0), local('tlp'));
  assert.throws(() => ep.transmit(cpl, T0), local('replyTo'));
  assert.throws(() => ep.transmit(dmaWrite(), { tee: true, replyTo: 'plain' }), local('replyTo'));
  const digest = dmaWrite();
  digest[2]! |= 0x80;
  assert.throws(() => ep.transmit(digest, T0), local('tlp'));
  const pasid = encodePasidPrefix({
    pasid: 5,
    executeRequested: false,
    privilegedModeRequested: false,
  });
  const full = Uint8Array.of(...pasid, ...pasid, ...pasid, ...pasid, ...dmaWrite());
  assert.throws(() => ep.transmit(full, T0), local('tlp'));
  assert.is(ep.read(AT.STATUS), 2);
});

test('completions follow their request, not the associations', () => {
  const { rp, ep } = new Pair().secure();
  const cfg = config(0);
  assert.is(rp.transmit(cfg, T0).kind, 'plain');
  const answer = reply(cfg, 4, EP_ID);
  const sent = ep.transmit(answer, { tee: false, replyTo: 'plain' });
  assert.is(sent.kind, 'plain');
  assert.equal(rp.receive(wire(sent)), { kind: 'plain', tlp: answer, effects: [] });
});

const mismatches: readonly [string, TransmitOptions, string][] = [
  ['T=0 for T=1', { tee: false, replyTo: on(false) }, 'COMPLETION_MISMATCH'],
  ['without IDE', { tee: false, replyTo: 'plain' }, 'COMPLETION_MISMATCH'],
];
for (const [name, options, code] of mismatches)
  for (const how of ['data', 'unsupported'] as const)
    test(`a completion ${name} is an IDE Check Failed (${how})`, () => {
      const { rp, ep } = new Pair().secure();
      const request = mmioRead(7);
      pass(rp, ep, request, T1);
      const answer = how === 'data' ? reply(request, 4, EP_ID) : unsupported(request, EP_ID);
      assert.is(refused(rp.receive(wire(ep.transmit(answer, options)))).code, code);
      assert.is(rp.read(AT.STATUS), 0);
    });

test('completions without IDE free their tag too, and a reset forgets all requests', () => {
  const { rp } = new Pair().secure();
  const answer = reply(config(0), 4, EP_ID);
  rp.transmit(config(0), T0);
  assert.is(rp.outstanding.of(answer)?.streamId, undefined);
  rp.receive(answer);
  assert.is(rp.outstanding.of(answer), undefined);
  rp.transmit(config(0), T0);
  rp.reset();
  assert.is(rp.outstanding.of(answer), undefined);
});

test('bytes in front of the first one asked for do not count as delivered', () => {
  const { ep } = new Pair().secure();
  ep.transmit(dmaRead(1), T0);
  const facts = { completerId: RP_ID, requesterId: EP_ID, tag: 1, lowerAddress: 3 };
  const first = completion({ ...facts, byteCount: 2, data: data(1) });
  ep.outstanding.completed(first);
  assert.ok(ep.outstanding.of(first));
  ep.outstanding.completed(completion({ ...facts, lowerAddress: 4, byteCount: 1, data: data(1) }));
  assert.is(ep.outstanding.of(first), undefined);
});

test('an IDE completion to a request sent without IDE is an IDE Check Failed', () => {
  const { rp, ep } = new Pair().secure();
  const cfg = config(0);
  rp.transmit(cfg, T0);
  const answer = ep.transmit(reply(cfg, 4, EP_ID), { tee: false, replyTo: on(false) });
  assert.is(refused(rp.receive(wire(answer))).code, 'COMPLETION_MISMATCH');
});

test('the last of several completions frees the tag; a tag reused takes the new request’s way', () => {
  const { rp, ep } = new Pair().secure();
  const request = dmaRead(3, 128);
  pass(ep, rp, request, T1);
  assert.is(ep.outstanding.of(reply(request, 128))?.tee, true);
  const whole = reply(request, 128);
  const first = Uint8Array.of(...whole.subarray(0, 12), ...whole.subarray(12, 76));
  first[3] = 16;
  const second = Uint8Array.of(...whole.subarray(0, 12), ...whole.subarray(76));
  second[3] = 16;
  second[7] = 64;
  for (const [part, left] of [
    [first, true],
    [second, false],
  ] as const) {
    pass(rp, ep, part, { tee: true, replyTo: on(true) });
    assert.is(ep.outstanding.of(whole) !== undefined, left);
  }
  pass(ep, rp, request, T1);
  pass(ep, rp, request, T0);
  assert.is(ep.outstanding.of(whole)?.tee, false);
  pass(rp, ep, unsupported(request), { tee: true, replyTo: on(false) });
  assert.is(ep.outstanding.of(whole), undefined);
});

test.run();
