/** What an adversary on the link can do to IDE TLPs, and what a port makes of it. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CheckFailedEffect,
  ideSync,
  PR_RECEIVED_COUNTER_MAX,
} from '../../../protocols/ide/index.ts';
import { writeIdePrefix } from '../../../protocols/tlp/ide-prefix.ts';
import { payloadOffset } from '../../../protocols/tlp/view.ts';
import {
  AT,
  accepted,
  EP_ID,
  endpointKeys,
  Pair,
  RP_ID,
  refused,
  STREAM_ID,
  wire,
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
  routed,
  T1,
} from './traffic.ts';

const test = suite('ide tamper');

const flipped = (bytes: Uint8Array, bit: number) => {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 0x80 >> (bit & 7);
  return copy;
};

test('every single bit of a sealed MWr: refused, and the stream ends', () => {
  const codes = new Map<string, number>();
  const length = wire(new Pair().secure().rp.transmit(mmioWrite(), T1)).length;
  assert.is(length, 4 + 16 + 4 + 12);
  for (let bit = 0; bit < 8 * length; bit++) {
    const { rp, ep } = new Pair().secure();
    const got = refused(ep.receive(flipped(wire(rp.transmit(mmioWrite(), T1)), bit)));
    codes.set(got.code, (codes.get(got.code) ?? 0) + 1);
    // Byte 0 says that this is an IDE TLP, byte 2 of which stream: without these the TLP is dropped,
    // and the stream learns of it from the next TLP, whose MAC no longer fits.
    const nameless = bit < 8 || (bit >= 16 && bit < 24);
    if (nameless) {
      assert.is(ep.read(AT.STATUS), 2, `bit ${bit}`);
      const next = refused(ep.receive(wire(rp.transmit(mmioWrite(), T1))));
      assert.is(next.code, 'MAC_FAILED', `bit ${bit}`);
    } else {
      assert.is(got.effects[0]!.type, 'ide-check-failed', `bit ${bit}`);
      assert.is(got.send.length, 1, `bit ${bit}`);
    }
    const [stream] = ep.streams;
    assert.is(stream!.state, 'INSECURE_FAILED', `bit ${bit}`);
    assert.not(stream!.keys.any, `bit ${bit}`);
  }
  // Sub-streams 1 and 2 do not fit a posted request, 4 and 8 do not exist; K and M are looked at early.
  assert.equal(
    ['MISROUTED_IDE_TLP', 'SUB_STREAM_MISMATCH', 'UNSUPPORTED_SUB_STREAM'].map((c) => codes.get(c)),
    [8, 2, 2],
  );
  for (const code of ['KEY_SET_NOT_VALID', 'AGGREGATION_NOT_SUPPORTED', 'PCRC_NOT_ENABLED'])
    assert.is(codes.get(code), 1, code);
  assert.ok(codes.get('MAC_FAILED')! > 200);
});

test('every single bit of a sealed MRd and CplD: refused', () => {
  const request = mmioRead(1);
  for (const make of [
    (p: Pair) => [p.ep, wire(p.rp.transmit(request, T1))] as const,
    (p: Pair) => {
      p.rp.transmit(request, T1);
      const answer = reply(request, 4, EP_ID);
      return [p.rp, wire(p.ep.transmit(answer, { tee: true, replyTo: on(true) }))] as const;
    },
  ]) {
    const bits = make(new Pair().secure())[1].length * 8;
    for (let bit = 0; bit < bits; bit++) {
      const [port, bytes] = make(new Pair().secure());
      refused(port.receive(flipped(bytes, bit)));
    }
  }
});

test('a failed check is told once, and later TLPs of the stream are dropped', () => {
  const { rp, ep } = new Pair().secure();
  const good = [1, 2, 3].map(() => wire(rp.transmit(mmioWrite(), T1)));
  const first = refused(ep.receive(flipped(good[0]!, 8 * 30)));
  const effect = first.effects[0] as CheckFailedEffect;
  assert.equal(
    [effect.type, effect.streamId, effect.code],
    ['ide-check-failed', STREAM_ID, 'MAC_FAILED'],
  );
  assert.equal(
    first.effects.map((e) => e.type),
    ['ide-check-failed', 'ide-stream-state'],
  );
  for (const bytes of good) {
    const got = refused(ep.receive(bytes));
    assert.equal([got.code, got.effects, got.send], ['STREAM_NOT_SECURE', [], []]);
  }
});

/** Sends n TLPs made by `make` and hands them over in `order`; the code of the first refusal. */
function deliver(make: (i: number) => Uint8Array, order: readonly number[]) {
  const { rp, ep } = new Pair().secure();
  const sent = order.map((_, i) => wire(ep.transmit(make(i), T1)));
  for (const i of order) {
    const got = rp.receive(sent[i]!);
    if (got.kind === 'refused') return got.code;
  }
  return 'accepted';
}
const subStreams: readonly [string, (i: number) => Uint8Array][] = [
  ['PR', (i) => dmaWrite(64, i)],
  ['NPR', (i) => dmaRead(i)],
];
for (const [name, make] of subStreams) {
  test(`${name}: in order`, () => {
    assert.is(deliver(make, [0, 1, 2, 3]), 'accepted');
  });
  test(`${name}: replayed`, () => {
    assert.is(deliver(make, [0, 0]), 'MAC_FAILED');
    assert.is(deliver(make, [0, 1, 2, 0]), 'MAC_FAILED');
  });
  test(`${name}: dropped`, () => {
    assert.is(deliver(make, [1, 2]), 'MAC_FAILED');
    assert.is(deliver(make, [0, 2, 3]), 'MAC_FAILED');
  });
  test(`${name}: swapped`, () => {
    assert.is(deliver(make, [1, 0]), 'MAC_FAILED');
  });
}

test('a TLP thrown back at its sender, or given to another stream’s life, is refused', () => {
  const { rp, ep } = new Pair().secure();
  assert.is(refused(rp.receive(wire(rp.transmit(mmioWrite(), T1)))).code, 'MAC_FAILED');
  const other = new Pair().secure(50);
  assert.is(refused(other.rp.receive(wire(ep.transmit(dmaWrite(), T1)))).code, 'MAC_FAILED');
});

// W posted write, R read, C completion. Order of arrival by index.
const orders: readonly [string, string, readonly number[], string][] = [
  ['posted passes non-posted', 'RW', [1, 0], 'accepted'],
  ['posted passes completion', 'CW', [1, 0], 'accepted'],
  ['non-posted and completion swap', 'RC', [1, 0], 'accepted'],
  ['several posted pass several others', 'WRCWW', [0, 3, 4, 2, 1], 'accepted'],
  ['non-posted passes posted', 'WR', [1, 0], 'PR_COUNTER_UNDERFLOW'],
  ['completion passes posted', 'WC', [1, 0], 'PR_COUNTER_UNDERFLOW'],
  ['non-posted passes one of two posted', 'WWR', [0, 2, 1], 'PR_COUNTER_UNDERFLOW'],
];
for (const [name, sent, order, outcome] of orders)
  test(`order of sub-streams: ${name}`, () => {
    const { rp, ep } = new Pair().secure();
    const bytes = [...sent].map((kind, i) => {
      if (kind === 'W') return wire(ep.transmit(dmaWrite(4, i), T1));
      if (kind === 'R') return wire(ep.transmit(dmaRead(i), T1));
      const answer = reply(mmioRead(i), 4, EP_ID);
      return wire(ep.transmit(answer, { tee: true, replyTo: on(true) }));
    });
    const codes = order
      .map((i) => rp.receive(bytes[i]!))
      .map((g) => ('code' in g ? g.code : g.kind));
    assert.is(codes.find((c) => c !== 'ide') ?? 'accepted', outcome);
    assert.is(rp.read(AT.STATUS), outcome === 'accepted' ? 2 : 0);
  });

test('CVE-2025-9612: a read that overtakes an IDE_Sync is accepted first and noticed too late', () => {
  const { rp, ep } = new Pair().secure();
  const writes = Array.from({ length: 254 }, () => wire(ep.transmit(dmaWrite(4), T1)));
  const [sync, last] = ep.transmit(dmaWrite(4), T1).tlps;
  const read = wire(ep.transmit(dmaRead(1), T1));
  accepted(rp.receive(writes[0]!));
  accepted(rp.receive(read));
  for (const bytes of writes.slice(1)) accepted(rp.receive(bytes));
  assert.is(refused(rp.receive(sync!)).code, 'PR_COUNTER_UNDERFLOW');
  assert.is(refused(rp.receive(last!)).code, 'STREAM_NOT_SECURE');
});

test('a dropped IDE_Sync and a dropped posted write before it are noticed', () => {
  const { rp, ep } = new Pair().secure();
  for (let i = 0; i < 254; i++) pass(ep, rp, dmaWrite(4), T1);
  const [, write] = ep.transmit(dmaWrite(4), T1).tlps;
  assert.is(refused(rp.receive(write!)).code, 'MAC_FAILED');
});

test('a receiver out of invocation fields refuses by name', () => {
  const { rp, ep } = new Pair().secure();
  rp.streams[0]!.keys.channel('RX', 0).slot(0)!.counter.exhausted = true;
  assert.is(refused(rp.receive(wire(ep.transmit(dmaWrite(), T1)))).code, 'INVOCATION_EXHAUSTED');
});

test('PR counters past their width are an IDE Check Failed', () => {
  const { rp, ep } = new Pair().secure();
  rp.streams[0]!.prReceived.cpl = PR_RECEIVED_COUNTER_MAX;
  assert.is(refused(rp.receive(wire(ep.transmit(dmaWrite(), T1)))).code, 'PR_COUNTER_OVERFLOW');
});

/** A TLP sealed with the root port's own key for the sub-stream, prefix as given. */
function forged(pair: Pair, tlp: Uint8Array, subStream: number, change: (t: Uint8Array) => void) {
  const bytes = new Uint8Array(4 + tlp.length);
  bytes.set(tlp, 4);
  const prefix = { prSentCounter: 0, streamId: STREAM_ID, subStream, pcrc: false, mac: true };
  writeIdePrefix(bytes, 0, { ...prefix, keySet: 0, tee: true });
  change(bytes);
  const slot = pair.rp.streams[0]!.keys.channel('TX', (subStream % 3) as 0 | 1 | 2).slot(0)!;
  return slot.sealer.seal((subStream % 3) as 0, slot.counter, bytes, payloadOffset(bytes));
}

const syncOf = (StreamID: number) =>
  ideSync(
    { requesterId: RP_ID, destinationId: EP_ID, tc: 0 },
    { StreamID, PR_Sent_NPR: 1, PR_Sent_CPL: 1 },
  );

// A partner with the right keys that breaks the rules.
const rules: readonly [string, Uint8Array, number, (t: Uint8Array) => void, string][] = [
  ['well-formed', mmioWrite(), 0, () => {}, 'ide'],
  ['CfgRd0', config(0), 1, () => {}, 'DISALLOWED_TLP'],
  ['local message', routed(4), 0, () => {}, 'DISALLOWED_TLP'],
  ['other TC', mmioWrite(4, 0, 3), 0, () => {}, 'TC_MISMATCH'],
  ['posted on NPR', mmioWrite(), 1, () => {}, 'SUB_STREAM_MISMATCH'],
  ['sub-stream 3', mmioWrite(), 3, () => {}, 'UNSUPPORTED_SUB_STREAM'],
  ['sub-stream 15', mmioWrite(), 15, () => {}, 'UNSUPPORTED_SUB_STREAM'],
  [
    'M=0',
    mmioWrite(),
    0,
    (t) => {
      t[3]! &= ~4;
    },
    'AGGREGATION_NOT_SUPPORTED',
  ],
  [
    'P=1',
    mmioWrite(),
    0,
    (t) => {
      t[3]! |= 8;
    },
    'PCRC_NOT_ENABLED',
  ],
  [
    'K=1 never programmed',
    mmioWrite(),
    0,
    (t) => {
      t[3]! |= 2;
    },
    'KEY_SET_NOT_VALID',
  ],
  [
    'TD=1',
    mmioWrite(),
    0,
    (t) => {
      t[6]! |= 0x80;
    },
    'MALFORMED_TLP',
  ],
  ['IDE_Sync naming another stream', syncOf(STREAM_ID + 1), 0, () => {}, 'BAD_IDE_MESSAGE'],
  ['IDE_Sync as it should be', syncOf(STREAM_ID), 0, () => {}, 'consumed'],
  [
    'NPR claims a PR',
    mmioRead(1),
    1,
    (t) => {
      t[1] = 1;
    },
    'PR_COUNTER_UNDERFLOW',
  ],
];
for (const [name, tlp, subStream, change, outcome] of rules)
  test(`a partner with the right keys: ${name}`, () => {
    const pair = new Pair().secure();
    const got = pair.ep.receive(forged(pair, tlp, subStream, change));
    assert.is(got.kind === 'refused' ? got.code : got.kind, outcome);
    assert.is(pair.ep.read(AT.STATUS), ['ide', 'consumed'].includes(outcome) ? 2 : 0);
  });

test('prefix out of place or cut short', () => {
  const { rp, ep } = new Pair().secure();
  for (const short of [[0x92], [0x92, 0, STREAM_ID]])
    assert.is(refused(ep.receive(Uint8Array.from(short))).code, 'MALFORMED_TLP');
  const bytes = wire(rp.transmit(mmioWrite(), T1));
  const pasid = [0x91, 0, 0, 1];
  assert.is(refused(ep.receive(Uint8Array.of(...pasid, ...bytes))).code, 'MALFORMED_TLP');
  const noMac = Uint8Array.of(...pasid, ...bytes.subarray(0, -12));
  assert.is(refused(ep.receive(noMac)).code, 'MISPLACED_IDE_PREFIX');
  const twice = Uint8Array.of(...bytes.subarray(0, 4), ...bytes);
  assert.is(refused(ep.receive(twice)).code, 'MALFORMED_TLP');
});

test('random bytes and random damage never throw, and nothing forged gets through', () => {
  const pair = new Pair().secure();
  let live = pair;
  const noise = fc.uint8Array({ maxLength: 80 });
  const damage = fc.record({ at: fc.nat(120), value: fc.nat(255), cut: fc.nat(60) });
  const original = () => wire(live.ep.transmit(dmaWrite(32), T1));
  const kinds = new Map<string, number>();
  fc.assert(
    fc.property(fc.oneof(noise, damage), fc.boolean(), (input, prefixed) => {
      if (live.rp.read(AT.STATUS) !== 2) live = new Pair().secure();
      let bytes: Uint8Array;
      if (input instanceof Uint8Array) {
        const prefix = prefixed ? [0x92, 0, STREAM_ID, 5] : [];
        bytes = Uint8Array.of(...prefix, ...input);
      } else {
        const good = original();
        bytes = good.slice(0, good.length - (prefixed ? input.cut : 0));
        const at = input.at % Math.max(1, bytes.length);
        bytes[at] = input.value;
        if (Buffer.from(bytes).equals(Buffer.from(good))) {
          accepted(live.rp.receive(bytes));
          return;
        }
      }
      const got = live.rp.receive(bytes);
      kinds.set(got.kind, (kinds.get(got.kind) ?? 0) + 1);
      assert.is.not(got.kind, 'ide');
    }),
    { seed: 1, numRuns: 1500 },
  );
  assert.ok(kinds.get('refused')! > 1000);
});

test('keys exchanged or in the wrong byte order at one end: the first TLP fails', () => {
  const pair = new Pair().configure().key(0, 1);
  const at = { streamId: STREAM_ID, keySet: 0, direction: 'RX', subStream: 0 } as const;
  pair.rp.programKey(
    at,
    endpointKeys(1).TX[0]!.map((_, i, k) => k[i ^ 3]!),
    undefined,
  );
  pair.go(0).enable();
  assert.is(refused(pair.rp.receive(wire(pair.ep.transmit(dmaWrite(), T1)))).code, 'MAC_FAILED');
});

test.run();
