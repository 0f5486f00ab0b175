import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import {
  goStream,
  keyStream,
  partnerKeys,
  type Received,
  referenceSealers,
  type SealerFactory,
  type StreamStateEffect,
  setGo,
  stopStream,
} from '../../../protocols/ide/index.ts';
import {
  AT,
  accepted,
  control,
  EP_ID,
  endpointKeys,
  Pair,
  RP_ID,
  refused,
  run,
  STREAM_ID,
  wire,
  wires,
} from './pair.ts';
import {
  config,
  dmaRead,
  dmaWrite,
  mmioRead,
  mmioWrite,
  on,
  pass,
  reply,
  T0,
  T1,
  unsupported,
  vendorMessage,
} from './traffic.ts';

const test = suite('ide stream life');
const target = { portIndex: 0, streamId: STREAM_ID };

test('IDE_Sync keeps thousands of posted writes in step', () => {
  const { rp, ep } = new Pair().secure();
  let syncs = 0;
  for (let i = 0; i < 1000; i++) {
    const { sent, got } = pass(ep, rp, dmaWrite(4, i), T1);
    if (sent.tlps.length === 1) continue;
    assert.is(i % 254, 0);
    assert.is(got[0]!.kind, 'consumed');
    assert.is(sent.seals[0]!.subStream, 0);
    assert.not(sent.tlps[0]![3]! & 1, 'IDE_Sync has T=0');
    syncs++;
  }
  assert.is(syncs, 3);
  assert.equal([rp.streams[0]!.prReceived.npr, rp.streams[0]!.prReceived.cpl], [238, 238]);
  pass(ep, rp, dmaRead(1), T1);
  assert.equal([rp.streams[0]!.prReceived.npr, rp.streams[0]!.prReceived.cpl], [0, 238]);
});

test('either counter makes an IDE_Sync due', () => {
  for (const how of ['NPR', 'CPL'] as const) {
    const { rp, ep } = new Pair().secure();
    let syncs = 0;
    for (let i = 0; i < 300; i++) {
      if (i === 100 && how === 'NPR') {
        const answer = reply(mmioRead(1), 4, EP_ID);
        pass(ep, rp, answer, { tee: true, replyTo: on(true) });
      }
      if (i === 100 && how === 'CPL') pass(ep, rp, dmaRead(1), T1);
      syncs += pass(ep, rp, dmaWrite(4), T1).sent.tlps.length - 1;
    }
    assert.is(syncs, 1);
  }
});

test('an IDE_Sync that would take the last invocation field is not begun', () => {
  const { ep } = new Pair().secure();
  for (let i = 0; i < 254; i++) ep.transmit(dmaWrite(4), T1);
  const { counter } = ep.streams[0]!.keys.channel('TX', 0).slot(0)!;
  counter.hi = 0xffffffff;
  counter.lo = 0xffffffff;
  assert.equal(ep.transmit(dmaWrite(4), T1).tlps, []);
  assert.not(counter.exhausted);
  assert.equal([ep.streams[0]!.prSent.npr, ep.streams[0]!.prSent.cpl], [254, 254]);
});

test('IDE_Sync goes to the partner and counts itself', () => {
  const { ep } = new Pair().secure();
  for (let i = 0; i < 100; i++) ep.transmit(dmaWrite(4), T1);
  ep.transmit(dmaRead(1), T1);
  for (let i = 100; i < 254; i++) ep.transmit(dmaWrite(4), T1);
  const [sync] = wires(ep.transmit(dmaWrite(4), T1));
  assert.is(sync!.length, 4 + 16 + 12);
  // Msg by ID 54h from the endpoint to the root port: stream 21h, NPR 155, CPL 255.
  assert.is(toHex(sync!.subarray(4, 20)), '32000000010000540008002100009bff');
});

test('NPR and CPL carry the posted requests since the last of their kind', () => {
  const { ep } = new Pair().secure();
  for (let i = 0; i < 5; i++) ep.transmit(dmaWrite(4), T1);
  assert.is(wire(ep.transmit(dmaRead(1), T1))[1], 5);
  ep.transmit(dmaWrite(4), T1);
  assert.is(wire(ep.transmit(dmaRead(2), T1))[1], 1);
  const cpl = reply(mmioRead(1), 4, EP_ID);
  assert.is(wire(ep.transmit(cpl, { tee: true, replyTo: on(true) }))[1], 6);
  assert.is(wire(ep.transmit(dmaWrite(4), T1))[1], 0, '0 in posted requests');
});

test('key refresh under load: no TLP is lost, the old set ends with the first new TLP', () => {
  const pair = new Pair().secure(1);
  const { rp, ep } = pair;
  const load = () => {
    pass(ep, rp, dmaWrite(), T1);
    pass(rp, ep, mmioWrite(), T1);
    return pass(ep, rp, dmaRead(1), T1);
  };
  for (const [set, seed] of [
    [1, 20],
    [0, 40],
    [1, 60],
  ] as const) {
    pair.key(set, seed);
    load();
    const to = { ...target, keySet: set };
    for (const km of [pair.epKm, pair.rpKm]) run(goStream(to, 'RX'), km);
    assert.is(load().last.k, 1 - set);
    const late = wire(ep.transmit(dmaRead(5), T1));
    run(goStream(to, 'TX'), pair.epKm);
    accepted(rp.receive(late));
    const { last, got, sent } = load();
    assert.is(last.k, set);
    const switched = [...sent.effects, ...got.flatMap((g) => g.effects)];
    assert.equal(
      switched.map((e) => e.type),
      ['ide-key-switched', 'ide-key-switched'],
    );
    run(goStream(to, 'TX'), pair.rpKm);
    load();
    // A sub-stream nobody used yet still has the old set; after its first TLP all are on the new one.
    pass(rp, ep, mmioRead(1), T1);
    pass(ep, rp, reply(mmioRead(1), 4, EP_ID), { tee: true, replyTo: on(true) });
    const dma = dmaRead(2);
    pass(ep, rp, dma, T1);
    pass(rp, ep, reply(dma, 64), { tee: true, replyTo: on(true) });
    const old = (1 - set) as 0 | 1;
    for (const port of [rp, ep])
      for (const direction of ['RX', 'TX'] as const)
        for (const sub of [0, 1, 2] as const)
          assert.is(port.streams[0]!.keys.channel(direction, sub).slot(old), undefined);
    // K_SET_STOP of the set out of use changes nothing.
    run(stopStream({ ...target, keySet: old }), pair.epKm);
    load();
  }
  assert.equal([rp.read(AT.STATUS), ep.read(AT.STATUS)], [2, 2]);
});

test('a refresh in the wrong order ends in a named failure', () => {
  const pair = new Pair().secure(1);
  pair.key(1, 20);
  run(goStream({ ...target, keySet: 1 }, 'TX'), pair.epKm);
  const got = refused(pair.rp.receive(wire(pair.ep.transmit(dmaWrite(), T1))));
  assert.is(got.code, 'KEY_SET_NOT_VALID');
});

test('K_SET_GO again, for the running or the waiting set, changes nothing', () => {
  const pair = new Pair().secure(1);
  pass(pair.ep, pair.rp, dmaWrite(), T1);
  pair.key(1, 20).go(1).go(0).go(1).go(0);
  assert.is(pass(pair.ep, pair.rp, dmaWrite(), T1).last.k, 1);
  // PR has left set 0; the others have not, and may be started once more.
  const at = {
    portIndex: 0,
    streamId: STREAM_ID,
    keySet: 0,
    direction: 'TX',
    subStream: 1,
  } as const;
  run(setGo(at), pair.epKm);
  assert.is(pass(pair.ep, pair.rp, dmaRead(1), T1).last.k, 1);
});

test('of two started sets the newer can be stopped again', () => {
  const pair = new Pair().configure().key(0, 1).go(0).key(1, 20).go(1);
  for (const km of [pair.epKm, pair.rpKm]) run(stopStream({ ...target, keySet: 1 }), km);
  pair.enable();
  assert.is(pass(pair.ep, pair.rp, dmaWrite(), T1).last.k, 0);
});

test('the old set is refused after the first TLP of the new one', () => {
  const pair = new Pair().secure(1);
  const old = wire(pair.ep.transmit(dmaWrite(), T1));
  accepted(pair.rp.receive(old));
  const held = wire(pair.ep.transmit(dmaWrite(), T1));
  pair.key(1, 20).go(1);
  accepted(pair.rp.receive(wire(pair.ep.transmit(dmaWrite(), T1))));
  assert.is(refused(pair.rp.receive(held)).code, 'KEY_SET_NOT_VALID');
});

test('K_SET_STOP of the running set: Insecure at once, acknowledged to the end', () => {
  const pair = new Pair().secure();
  const inFlight = wire(pair.rp.transmit(mmioWrite(), T1));
  run(stopStream({ ...target, keySet: 0 }), pair.epKm);
  assert.is(pair.ep.streamInfo(STREAM_ID)!.state, 'INSECURE_FAILED');
  assert.is(refused(pair.ep.receive(inFlight)).code, 'STREAM_NOT_SECURE');
  assert.is(pair.ep.transmit(dmaWrite(), T1).kind, 'blocked');
});

test('stop and start again with new keys: nothing of the old life is accepted', () => {
  const pair = new Pair().secure(1);
  const stale = wire(pair.ep.transmit(dmaWrite(), T1));
  for (const port of [pair.ep, pair.rp]) port.write(AT.CONTROL, port.read(AT.CONTROL) & ~1);
  pair.key(0, 30).go(0).enable();
  assert.is(pair.rp.read(AT.STATUS), 2);
  assert.is(refused(pair.rp.receive(stale)).code, 'MAC_FAILED');
});

test('a second life begins with fresh counters and says so', () => {
  const pair = new Pair().secure(1);
  for (let i = 0; i < 5; i++) pass(pair.ep, pair.rp, dmaWrite(), T1);
  for (const port of [pair.ep, pair.rp]) port.write(AT.CONTROL, port.read(AT.CONTROL) & ~1);
  pair.key(0, 30).go(0).enable();
  assert.is(pair.rp.receive(dmaWrite()).kind, 'plain', 'nothing protected seen yet');
  const { sent } = pass(pair.ep, pair.rp, dmaRead(1), T1);
  assert.is(sent.tlps[0]![1], 0);
  const first = pass(pair.ep, pair.rp, dmaWrite(), T1);
  assert.equal(
    [...first.sent.effects, ...first.last.effects].map((e) => e.type),
    ['ide-key-switched', 'ide-key-switched'],
  );
});

test('clearing Enable with a new Stream ID takes keys programmed after a failure along', () => {
  const pair = new Pair().secure();
  for (const port of [pair.ep, pair.rp]) port.write(AT.ADDRESS, 0xff00);
  pair.key(0, 9);
  assert.ok(pair.ep.streams[0]!.keys.any);
  pair.ep.write(AT.CONTROL, control({ StreamId: STREAM_ID + 1 }));
  assert.is(pair.ep.streams[0]!.state, 'INSECURE_NO_KEYS');
  assert.not(pair.ep.streams[0]!.keys.any);
});

test('every key ever given to a port is destroyed in the end', () => {
  const reference = referenceSealers(nodeProvider);
  let living = 0;
  const sealers: SealerFactory = (key) => {
    const sealer = reference(key);
    living++;
    let disposed = false;
    const dispose = () => {
      assert.not(disposed, 'destroyed twice');
      disposed = true;
      living--;
      sealer.dispose();
    };
    return { ...sealer, dispose };
  };
  const pair = new Pair({ sealers }).secure(1);
  assert.is(living, 12);
  pair.key(1, 20);
  assert.is(living, 24);
  pair.key(1, 30).go(1);
  assert.is(living, 24);
  pass(pair.ep, pair.rp, dmaWrite(), T1);
  assert.is(living, 22);
  pair.rp.write(AT.RID1, 0);
  assert.is(living, 11);
  pair.ep.write(AT.CONTROL, pair.ep.read(AT.CONTROL) & ~1);
  assert.is(living, 1, 'for the last completion');
  const options = { tee: false, replyTo: on(false) };
  assert.is(pair.ep.transmit(unsupported(config(1), EP_ID), options).kind, 'ide');
  assert.is(living, 0);
});

test('Enable at the device first: plain completion, then IDE; the host follows', () => {
  const pair = new Pair().configure().key(0, 1).go(0);
  pair.ep.write(AT.CONTROL, pair.ep.read(AT.CONTROL) | 1);
  const done = pair.ep.transmit(unsupported(config(0), EP_ID), { tee: false, replyTo: 'plain' });
  assert.is(done.kind, 'plain');
  assert.is(pair.rp.receive(wire(done)).kind, 'plain');
  assert.is(pair.ep.receive(mmioWrite()).kind, 'plain', 'the host is not enabled yet');
  pair.rp.write(AT.CONTROL, pair.rp.read(AT.CONTROL) | 1);
  pass(pair.rp, pair.ep, mmioWrite(), T1);
});

test('the completion of the write that cleared Enable is the last IDE TLP', () => {
  for (const cleared of [0xfffffffe, 0]) {
    const pair = new Pair();
    pair.configure({ SelectiveIdeForConfigurationRequestsEnable: 1 }).key(0, 1).go(0).enable();
    const request = config(1);
    pass(pair.rp, pair.ep, request, T0);
    pair.ep.write(AT.CONTROL, pair.ep.read(AT.CONTROL) & cleared);
    assert.is(pair.ep.streams[0]!.keys.any, false);
    const other = { tee: false, replyTo: { streamId: STREAM_ID + 1, tee: false } };
    assert.is(pair.ep.transmit(unsupported(request, EP_ID), other).kind, 'blocked');
    const options = { tee: false, replyTo: on(false) };
    const sent = pair.ep.transmit(unsupported(request, EP_ID), options);
    assert.is(sent.kind, 'ide');
    accepted(pair.rp.receive(wire(sent)));
    assert.is(pair.ep.transmit(unsupported(request, EP_ID), options).kind, 'blocked');
  }
});

test('that last key dies with its session and with a reset', () => {
  for (const end of [(p: Pair) => p.ep.sessionEnded(0xffff0001), (p: Pair) => p.ep.reset()]) {
    const pair = new Pair().secure();
    pair.ep.write(AT.CONTROL, pair.ep.read(AT.CONTROL) & ~1);
    end(pair);
    const options = { tee: false, replyTo: on(false) };
    assert.is(pair.ep.transmit(unsupported(mmioRead(1), EP_ID), options).kind, 'blocked');
  }
});

test('an IDE_Fail sets the status bit of its stream and nothing else', () => {
  const pair = new Pair().secure();
  const bad = wire(pair.rp.transmit(mmioWrite(), T1));
  bad[bad.length - 1]! ^= 1;
  const got = refused(pair.ep.receive(bad));
  assert.is(got.send.length, 1);
  // Msg by ID 55h from the endpoint to the root port, stream 21h.
  assert.is(toHex(got.send[0]!), '32000000010000550008002100000000');
  const told = pair.rp.receive(got.send[0]!) as Extract<Received, { kind: 'consumed' }>;
  assert.equal([told.kind, told.message], ['consumed', 'IDE_Fail']);
  assert.equal(
    told.effects.map((e) => e.type),
    ['ide-fail-received'],
  );
  assert.is(pair.rp.read(AT.STATUS), 0x80000002);
  assert.is(pair.ep.receive(got.send[0]!).kind, 'plain', 'for another ID: passed on');
});

// Programmed below IDE_KM, which allows an initial value of 1 only.
test('the invocation field never wraps: blocked by name, a refresh helps', () => {
  const pair = new Pair().configure();
  const last = { hi: 0xffffffff, lo: 0xfffffffe };
  for (const direction of ['RX', 'TX'] as const)
    for (const subStream of [0, 1, 2] as const)
      for (const [port, keys] of [
        [pair.ep, endpointKeys(1)],
        [pair.rp, partnerKeys(endpointKeys(1))],
      ] as const) {
        const at = { streamId: STREAM_ID, keySet: 0, direction, subStream } as const;
        assert.ok(port.programKey(at, keys[direction][subStream]!, 0xffff0001, last).ok);
      }
  pair.go(0).enable();
  const ivs = [1, 2].map(() => pass(pair.ep, pair.rp, dmaWrite(), T1).sent.seals[0]!.iv);
  assert.equal(ivs, ['00000000fffffffffffffffe', '00000000ffffffffffffffff']);
  const sent = pair.ep.transmit(dmaWrite(), T1);
  assert.is(sent.kind === 'blocked' && sent.code, 'INVOCATION_EXHAUSTED');
  assert.is(pair.ep.read(AT.STATUS), 2);
  pair.key(1, 20).go(1);
  pass(pair.ep, pair.rp, dmaWrite(), T1);
});

test('the invocation field carries from the low to the high word', () => {
  const { ep } = new Pair().secure();
  const slot = ep.streams[0]!.keys.channel('TX', 0).slot(0)!;
  slot.counter.lo = 0xffffffff;
  const ivs = [1, 2].map(() => ep.transmit(dmaWrite(), T1).seals[0]!.iv);
  assert.equal(ivs, ['0000000000000000ffffffff', '000000000000000100000000']);
});

test('effects of becoming Secure and Insecure name both states', () => {
  const pair = new Pair().configure().key(0, 1).go(0);
  const [up] = pair.ep.write(AT.CONTROL, pair.ep.read(AT.CONTROL) | 1) as StreamStateEffect[];
  assert.equal([up!.from, up!.to, up!.keysInvalidated], ['INSECURE_GO', 'SECURE', false]);
  const [down] = pair.ep.write(AT.CONTROL, 0) as StreamStateEffect[];
  assert.equal([down!.from, down!.to, down!.keysInvalidated], ['SECURE', 'INSECURE_NO_KEYS', true]);
  assert.is(down!.streamId, STREAM_ID);
});

test('two streams of a root port keep apart', () => {
  const two = { selective: [{ addressAssociations: 1 }, { addressAssociations: 0 }] };
  const pair = new Pair(two).secure();
  pair.rp.write(0x2c + 0x0c, 0x00020000);
  pair.rp.write(0x2c + 0x10, 0x00020001);
  pair.rp.write(0x2c + 4, control({ StreamId: 0x22 }));
  const second = { portIndex: 0, streamId: 0x22, keySet: 0 } as const;
  run(keyStream(second, endpointKeys(50)), pair.rpKm);
  for (const direction of ['RX', 'TX'] as const) run(goStream(second, direction), pair.rpKm);
  pair.rp.write(0x2c + 4, control({ StreamId: 0x22, Enable: 1 }));
  const toSecond = pair.rp.transmit(vendorMessage(RP_ID, 0x200), T0);
  assert.is(toSecond.seals[0]!.streamId, 0x22);
  assert.is(refused(pair.ep.receive(wire(toSecond))).code, 'MISROUTED_IDE_TLP');
  assert.is(pair.ep.read(AT.STATUS), 2, 'a misrouted TLP harms no stream');
  pass(pair.rp, pair.ep, mmioWrite(), T1);
});

test.run();
