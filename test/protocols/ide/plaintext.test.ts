/** TLPs without IDE where IDE was due: what each role drops, and what it leaves to others. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AT, Pair, refused } from './pair.ts';
import {
  dmaRead,
  dmaWrite,
  mmioWrite,
  pass,
  reply,
  routed,
  T0,
  T1,
  unsupported,
} from './traffic.ts';

const test = suite('ide plaintext');

test('plaintext at the root port: dropped once the sub-stream has been seen protected', () => {
  const { rp, ep } = new Pair().secure();
  assert.is(rp.receive(dmaWrite()).kind, 'plain');
  pass(ep, rp, dmaWrite(), T1);
  const got = refused(rp.receive(dmaWrite()));
  assert.is(got.code, 'PLAINTEXT_ON_SECURE_STREAM');
  assert.is(got.effects[0]!.type, 'ide-plaintext-dropped');
  assert.is(rp.receive(dmaRead(1)).kind, 'plain', 'no NPR seen yet');
  pass(ep, rp, dmaRead(2), T1);
  assert.is(refused(rp.receive(dmaRead(1))).code, 'PLAINTEXT_ON_SECURE_STREAM');
  assert.is(rp.receive(routed(4)).kind, 'plain', 'a local message was never the stream’s');
  const stranger = dmaWrite();
  stranger[4] = 0x77;
  assert.is(rp.receive(stranger).kind, 'plain', 'another requester');
  assert.is(rp.read(AT.STATUS), 2, 'a drop is no failed check');
});

test('plaintext at an endpoint: requests are the TDI’s to judge, completions are not', () => {
  const { rp, ep } = new Pair().secure();
  pass(rp, ep, mmioWrite(), T1);
  assert.is(ep.receive(mmioWrite()).kind, 'plain');
  const request = dmaRead(1);
  pass(ep, rp, request, T1);
  assert.is(refused(ep.receive(reply(request, 64))).code, 'COMPLETION_MISMATCH');
  assert.is(refused(ep.receive(unsupported(request))).code, 'STREAM_NOT_SECURE');
  assert.is(
    ep.receive(unsupported(dmaRead(9))).kind,
    'plain',
    'nobody asked: not for IDE to judge',
  );
});

test('the plaintext policy can be chosen', () => {
  const strict = new Pair({ plaintext: 'refuse' }).secure();
  pass(strict.rp, strict.ep, mmioWrite(), T1);
  assert.is(refused(strict.ep.receive(mmioWrite())).code, 'PLAINTEXT_ON_SECURE_STREAM');
  const open = new Pair({ plaintext: 'deliver' }).secure();
  pass(open.ep, open.rp, dmaWrite(), T1);
  assert.is(open.rp.receive(dmaWrite()).kind, 'plain');
});

test('an IDE_Sync without IDE is dropped and moves no counter', () => {
  const { rp, ep } = new Pair().secure();
  const sync = Uint8Array.from(Buffer.from('32000000010000540008002100000101', 'hex'));
  const before = rp.streams[0]!.prReceived.npr;
  assert.is(refused(rp.receive(sync)).code, 'PLAINTEXT_IDE_SYNC');
  assert.is(rp.streams[0]!.prReceived.npr, before);
  pass(ep, rp, dmaWrite(), T0);
});

test.run();
