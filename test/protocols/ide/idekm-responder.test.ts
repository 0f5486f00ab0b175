import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import type { VendorOutcome } from '../../../protocols/engine.ts';
import {
  goStream,
  IdekmResponder,
  IdePort,
  KeyProg,
  keyStream,
  query,
} from '../../../protocols/ide/index.ts';
import {
  AT,
  EP_ID,
  endpointKeys,
  local,
  MMIO_BASE,
  Pair,
  RP_ID,
  run,
  SESSION,
  STREAM_ID,
} from './pair.ts';

const test = suite('idekm responder');
const OTHER = 0xfffe0002;

const INVALID = 'ERROR 1 0';
const SILENCE = 'silence';
/** Answer bytes in hex, or what stands for none. */
function say({ reply }: VendorOutcome): string {
  if (reply === undefined) return SILENCE;
  return reply instanceof Uint8Array ? toHex(reply) : `ERROR ${reply.spdmError} ${reply.data}`;
}
const send = (pair: Pair, hex: string, session: number | undefined = SESSION) =>
  say(pair.epKm.handle(fromHex(hex), session));

const KEY = `${'00'.repeat(31)}11`;
const KEY_PROG = (o: { stream?: string; sub?: string; port?: string; ifv?: string } = {}) =>
  `020000 ${o.stream ?? '21'} 00 ${o.sub ?? '00'} ${o.port ?? '00'} ${KEY} ${o.ifv ?? '0000000001000000'}`;

const rows: readonly [name: string, request: string, answer: string][] = [
  ['KEY_PROG good', KEY_PROG(), '03000021000000'],
  ['KEY_PROG echoes its address', KEY_PROG({ sub: '23' }), '03000021002300'],
  ['KEY_PROG ignores reserved bits 3:2', KEY_PROG({ sub: '0c' }), '03000021000c00'],
  ['KEY_PROG, other port', KEY_PROG({ port: '01' }), '03000021020001'],
  ['KEY_PROG, reserved sub-stream 3', KEY_PROG({ sub: '30' }), '03000021033000'],
  ['KEY_PROG, reserved sub-stream 15', KEY_PROG({ sub: 'f0' }), '0300002103f000'],
  ['KEY_PROG, IFV 0', KEY_PROG({ ifv: '0000000000000000' }), '03000021030000'],
  ['KEY_PROG, IFV 1 in the wrong DW', KEY_PROG({ ifv: '0100000000000000' }), '03000021030000'],
  ['KEY_PROG, unknown stream', KEY_PROG({ stream: '22' }), '03000022030000'],
  ['KEY_PROG, 4 bytes short', KEY_PROG().slice(0, -8), '03000021010000'],
  ['KEY_PROG, 1 byte long', `${KEY_PROG()}00`, '03000021010000'],
  ['KEY_PROG, object id only', '02', '03000000010000'],
  ['KEY_PROG, cut after StreamID', '02000021', '03000021010000'],
  ['K_SET_GO, no key', '040000 21 00 00 00', INVALID],
  ['K_SET_GO, unknown stream', '040000 22 00 00 00', INVALID],
  ['K_SET_GO, bad sub-stream', '040000 21 00 30 00', INVALID],
  ['K_SET_GO, bad port', '040000 21 00 00 01', INVALID],
  ['K_SET_GO, short', '040000 21 00 00', INVALID],
  ['K_SET_STOP, idle set', '050000 21 00 23 00', '06000021002300'],
  ['K_SET_STOP, unknown stream', '050000 22 00 00 00', INVALID],
  ['K_SET_STOP, long', '050000 21 00 00 00 00', INVALID],
  ['QUERY, bad port', '000001', INVALID],
  ['QUERY, short', '0000', INVALID],
  ['a response as a request', '03000021000000', 'ERROR 7 254'],
  ['unknown object', '0700', 'ERROR 7 254'],
  ['nothing', '', INVALID],
];
for (const [name, request, answer] of rows)
  test(name, () => {
    const pair = new Pair().configure();
    const before = pair.ep.registerDwords();
    assert.is(send(pair, request), answer);
    assert.equal(pair.ep.registerDwords(), before);
    if (answer !== '03000021000000' && !answer.startsWith('0300002100'))
      assert.is(pair.ep.ownerSession, undefined, 'a refusal claims no port');
  });

for (const request of ['000000', KEY_PROG(), '040000 21 00 00 00', '050000 21 00 00 00'])
  test(`outside a session: ${request.slice(0, 2)}`, () => {
    const pair = new Pair().configure();
    assert.is(say(pair.epKm.handle(fromHex(request), undefined)), 'ERROR 4 0');
    assert.not(pair.ep.stream(STREAM_ID)!.keys.any);
  });

test('QUERY_RESP: place and registers, byte for byte', () => {
  const pair = new Pair().configure();
  // Two 32-bit registers, then the block: capability, control, status, RID 1 and 2, address 1 to 3.
  assert.is(
    send(pair, '000000'),
    [
      '01 00 00 00 01 00 00',
      'c2000001 00000000',
      '01000000 00004021 00000000',
      '00080000 01080000',
      '00000000 00000000 00000000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

test('the requester reads the same registers', () => {
  const pair = new Pair().configure();
  const answer = run(query(0), pair.rpKm);
  assert.is(answer.rid, RP_ID);
  const [block] = answer.registers.selective;
  assert.equal(block!.rid, { valid: true, base: EP_ID, limit: EP_ID + 7, segmentBase: 0 });
  assert.is(block!.addresses[0]!.base, MMIO_BASE);
  assert.is(block!.control.StreamId, STREAM_ID);
});

test('work and effects of KEY_PROG name the key but do not show it', () => {
  const pair = new Pair().configure();
  const outcome = pair.epKm.handle(fromHex(KEY_PROG({ sub: '12' })), SESSION);
  assert.equal(
    outcome.work.map((w) => w.op),
    ['message', 'key-program'],
  );
  const key = fromHex(`${'00'.repeat(28)}11000000`);
  const keyId = toHex(nodeProvider.hash('SHA_256', key)).slice(0, 8);
  assert.equal(outcome.effects, [
    {
      type: 'ide-key-programmed',
      portIndex: 0,
      streamId: STREAM_ID,
      keySet: 0,
      direction: 'TX',
      subStream: 1,
      keyId,
      sessionId: SESSION,
    },
  ]);
});

test('no serialisation of a port shows key bytes', () => {
  const pair = new Pair().secure();
  const seen = JSON.stringify([pair.ep, pair.ep.stream(STREAM_ID)?.keys.channel('RX', 0).slot(0)]);
  assert.match(seen, 'keyId');
  const key = endpointKeys(1).RX[0]!;
  assert.not.match(seen, Buffer.from(key).toString('base64'));
  assert.not.match(seen, [...key.subarray(0, 4)].join(','));
  assert.not.match(seen, `"0":${key[0]},"1":${key[1]}`);
});

test('a second session meets silence while the first lives, and is served afterwards', () => {
  const pair = new Pair().configure().key(0, 1);
  const requests = [
    '000000',
    KEY_PROG(),
    '040000 21 00 00 00',
    '050000 21 00 00 00',
    '02000021000000',
  ];
  for (const request of requests) assert.is(send(pair, request, OTHER), SILENCE, request);
  assert.is(pair.ep.keyedBySession(STREAM_ID), SESSION);

  const effects = pair.epKm.sessionEnded(SESSION);
  assert.is(effects.length, 1);
  assert.is(pair.ep.keyedBySession(STREAM_ID), undefined);
  assert.is(send(pair, '040000 21 00 00 00', OTHER), INVALID, 'the keys are gone');
  run(
    keyStream({ portIndex: 0, streamId: STREAM_ID, keySet: 0 }, endpointKeys(9)),
    pair.epKm,
    OTHER,
  );
  assert.is(pair.ep.keyedBySession(STREAM_ID), OTHER);
  assert.is(send(pair, '000000', SESSION), SILENCE);
});

test('the owner survives a failure of its stream', () => {
  const pair = new Pair().secure();
  pair.ep.write(AT.RID1, 0);
  assert.is(pair.ep.streamInfo(STREAM_ID)!.state, 'INSECURE_FAILED');
  assert.is(send(pair, KEY_PROG(), OTHER), SILENCE);
  assert.is(send(pair, KEY_PROG()), '03000021000000');
});

test('the end of some other session changes nothing', () => {
  const pair = new Pair().secure();
  assert.equal(pair.epKm.sessionEnded(OTHER), []);
  assert.is(pair.ep.read(AT.STATUS), 2);
  assert.is(send(pair, '000000', OTHER), SILENCE);
});

test('keys of two sessions are nobody’s, and the first session stays the owner', () => {
  const pair = new Pair().configure().key(0, 1);
  const at = { streamId: STREAM_ID, keySet: 1, direction: 'RX', subStream: 0 } as const;
  assert.ok(pair.ep.programKey(at, endpointKeys(2).RX[0]!, OTHER).ok);
  assert.is(pair.ep.keyedBySession(STREAM_ID), undefined);
  assert.is(pair.ep.ownerSession, SESSION);
});

test('session end makes a Secure stream Insecure and names what was lost', () => {
  const pair = new Pair().secure();
  const [effect, ...more] = pair.epKm.sessionEnded(SESSION);
  assert.equal(more, []);
  assert.equal(
    { ...effect, reason: '' },
    {
      type: 'ide-stream-state',
      portIndex: 0,
      streamId: STREAM_ID,
      from: 'SECURE',
      to: 'INSECURE_FAILED',
      event: 'SESSION_ENDED',
      reason: '',
      keysInvalidated: true,
    },
  );
  assert.is(pair.ep.read(AT.STATUS), 0);
});

test('K_SET_GO needs its own key; twice is once', () => {
  const pair = new Pair().configure();
  assert.is(send(pair, '040000 21 00 00 00'), INVALID);
  send(pair, KEY_PROG({ sub: '00' }));
  assert.is(send(pair, '040000 21 00 00 00'), '06000021000000');
  assert.is(send(pair, '040000 21 00 00 00'), '06000021000000');
  assert.is(send(pair, '040000 21 00 10 00'), INVALID, 'another sub-stream');
  assert.is(send(pair, '040000 21 00 01 00'), INVALID, 'the other set');
});

test('key by key: KEY_PROG and K_SET_GO in turn make the stream Secure at the sixth, not before', () => {
  const pair = new Pair().configure().enable();
  const subs = ['00', '10', '20', '02', '12', '22'];
  for (const [i, sub] of subs.entries()) {
    send(pair, KEY_PROG({ sub }));
    assert.is(pair.ep.read(AT.STATUS), 0);
    assert.is(send(pair, `040000 21 00 ${sub} 00`), `060000 21 00 ${sub} 00`.replaceAll(' ', ''));
    assert.is(pair.ep.read(AT.STATUS), i === subs.length - 1 ? 2 : 0);
  }
});

test('both sets can be programmed and started, in either order', () => {
  for (const order of [
    [0, 1],
    [1, 0],
  ] as const) {
    const pair = new Pair().configure();
    for (const set of order) pair.key(set, 1 + set).go(set);
    pair.enable();
    assert.is(pair.ep.read(AT.STATUS), 2);
  }
});

test('a started key of a Secure stream is not replaced', () => {
  const pair = new Pair().secure();
  assert.is(send(pair, KEY_PROG()), '03000021040000');
  assert.is(send(pair, KEY_PROG({ sub: '01' })), '03000021000100', 'the other set is free');
  assert.is(pair.ep.read(AT.STATUS), 2);
});

test('reprogramming a started key of a disabled stream takes its K_SET_GO away', () => {
  const pair = new Pair().configure().key(0, 1).go(0);
  assert.is(pair.ep.streamInfo(STREAM_ID)!.state, 'INSECURE_GO');
  send(pair, KEY_PROG());
  assert.is(pair.ep.streamInfo(STREAM_ID)!.state, 'INSECURE_READY');
});

test('keys can follow Enable: the last K_SET_GO makes the stream Secure', () => {
  const pair = new Pair().configure().enable();
  assert.is(pair.ep.streamInfo(STREAM_ID)!.state, 'ENABLED_NO_KEYS');
  pair.key(0, 1);
  assert.is(pair.ep.read(AT.STATUS), 0);
  pair.go(0);
  assert.is(pair.ep.read(AT.STATUS), 2);
});

test('several ports by PortIndex', () => {
  const make = (portIndex: number) =>
    new IdePort({
      crypto: nodeProvider,
      role: 'endpoint',
      rid: EP_ID + portIndex,
      portIndex,
      selective: [{ addressAssociations: 0 }],
    });
  const ports = [make(0), make(1)];
  const responder = new IdekmResponder({ ports });
  const answer = run(query(1), responder);
  assert.is(answer.maxPortIndex, 1);
  assert.is(answer.rid, EP_ID + 1);
  run(keyStream({ portIndex: 1, streamId: 0, keySet: 0 }, endpointKeys(1)), responder);
  run(goStream({ portIndex: 1, streamId: 0, keySet: 0 }, 'RX'), responder);
  assert.is(ports[1]!.keyedBySession(0), SESSION);
  assert.is(ports[0]!.keyedBySession(0), undefined);
  assert.throws(() => new IdekmResponder({ ports: [] }), local('ports'));
  assert.throws(() => new IdekmResponder({ ports: [make(1)] }), local('ports[0]'));
});

test('mutations of a KEY_PROG: an answer each, and no key from a refused one', () => {
  for (const { name, bytes } of mutations(KeyProg, fromHex(KEY_PROG()))) {
    const pair = new Pair().configure();
    const { reply } = pair.epKm.handle(bytes, SESSION);
    assert.is.not(reply, undefined, name);
    const ok = reply instanceof Uint8Array && reply[0] === 3 && reply[4] === 0;
    assert.is(pair.ep.stream(STREAM_ID)!.keys.any, ok, name);
  }
});

test('random payloads never throw and never make a stream Secure', () => {
  const pair = new Pair().configure().enable();
  const object = fc.tuple(fc.nat(7), fc.uint8Array({ maxLength: 50 }));
  const plausible = fc
    .tuple(fc.constantFrom(2, 4, 5), fc.nat(255), fc.uint8Array({ minLength: 32, maxLength: 32 }))
    .map(([id, sub, key]): [number, Uint8Array] => {
      const head = [0, 0, STREAM_ID, 0, sub, 0];
      const tail = [...key, 0, 0, 0, 0, 1, 0, 0, 0];
      return [id, Uint8Array.from(id === 2 ? [...head, ...tail] : head)];
    });
  let programmed = 0;
  fc.assert(
    fc.property(
      fc.oneof(object, plausible),
      fc.constantFrom(SESSION, OTHER),
      ([id, rest], session) => {
        const { effects } = pair.epKm.handle(Uint8Array.of(id, ...rest), session);
        programmed += effects.filter((e) => e.type === 'ide-key-programmed').length;
        const { complete } = { complete: pair.ep.stream(STREAM_ID)!.keys.level(false) };
        assert.is(pair.ep.read(AT.STATUS), complete === 'GO_COMPLETE' ? 2 : 0);
      },
    ),
    { seed: 1, numRuns: 2000 },
  );
  assert.ok(programmed > 10, `${programmed} keys programmed`);
});

test.run();
