/** Trace bus, canonical lines and the trace hash. */

import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KernelError } from '../../../sim/kernel/errors.ts';
import { TraceBus, type TraceRecord } from '../../../sim/kernel/trace.ts';
import { canonicalLine, TraceHash } from '../../../sim/kernel/trace-text.ts';

interface Records {
  tlp: { bytes: Uint8Array };
  state: { from: string; to: string };
}

const bus = suite('trace bus');

bus('records carry time, sequence, source, kind and data', () => {
  const clock = { now: 5 };
  const trace = new TraceBus<Records>(clock);
  const seen: TraceRecord[] = [];
  trace.on('*', (record) => seen.push(record));
  trace.emit('state', 'tdi0', { from: 'CONFIG_UNLOCKED', to: 'CONFIG_LOCKED' });
  clock.now = 9;
  trace.emit('tlp', 'link0', { bytes: Uint8Array.of(1) });
  assert.equal(seen, [
    {
      time: 5,
      sequence: 0,
      source: 'tdi0',
      kind: 'state',
      data: { from: 'CONFIG_UNLOCKED', to: 'CONFIG_LOCKED' },
    },
    { time: 9, sequence: 1, source: 'link0', kind: 'tlp', data: { bytes: Uint8Array.of(1) } },
  ]);
});

bus('one kind only; only delivered records are counted; unsubscribe ends it', () => {
  const trace = new TraceBus<Records>({ now: 0 });
  const seen: number[] = [];
  const off = trace.on('state', (record) => {
    assert.type(record.data.to, 'string');
    seen.push(record.sequence);
  });
  assert.is(trace.wants('state'), true);
  assert.is(trace.wants('tlp'), false);
  trace.emit('tlp', 'a', { bytes: new Uint8Array() });
  trace.emit('state', 'a', { from: '', to: '' });
  off();
  off();
  assert.is(trace.wants('state'), false);
  trace.emit('state', 'a', { from: '', to: '' });
  assert.equal(seen, [0]);
});

bus('a record emitted by a listener comes after the one at hand, for everybody', () => {
  const trace = new TraceBus<Records>({ now: 0 });
  const seen: string[] = [];
  trace.on('state', (record) => {
    if (record.data.to === 'ERROR') trace.emit('tlp', 'b', { bytes: new Uint8Array() });
  });
  trace.on('*', (record) => seen.push(`${record.sequence}:${record.kind}`));
  trace.emit('state', 'a', { from: '', to: 'ERROR' });
  assert.equal(seen, ['0:state', '1:tlp']);
});

bus('a listener that throws leaves the bus usable', () => {
  const trace = new TraceBus<Records>({ now: 0 });
  const off = trace.on('state', () => {
    throw new Error('checker');
  });
  assert.throws(() => trace.emit('state', 'a', { from: '', to: '' }), /checker/);
  off();
  let count = 0;
  trace.on('*', () => count++);
  trace.emit('state', 'a', { from: '', to: '' });
  assert.is(count, 1);
});

bus.run();

const line = suite('canonicalLine');
const record = (data: object): TraceRecord => ({
  time: 12,
  sequence: 3,
  source: 'rp0',
  kind: 'tlp',
  data,
});
const HEAD = '{"t":12,"n":3,"src":"rp0","kind":"tlp"';

const LINES: readonly (readonly [data: object, tail: string])[] = [
  [{}, '}'],
  [{ b: 1, a: 2 }, ',"b":1,"a":2}'],
  [{ bytes: Uint8Array.of(0, 0xab, 0xff) }, ',"bytes":"00abff"}'],
  [{ bytes: new Uint8Array() }, ',"bytes":""}'],
  [{ big: 2n ** 64n }, ',"big":"18446744073709551616"}'],
  [{ gone: undefined, kept: null }, ',"kept":null}'],
  [{ list: [1, undefined, [Uint8Array.of(1)]] }, ',"list":[1,null,["01"]]}'],
  [{ in: { x: { y: true, z: undefined } } }, ',"in":{"x":{"y":true}}}'],
  [{ text: 'a"\n\u2028\ud800é' }, ',"text":"a\\"\\n\u2028\\ud800é"}'],
  [{ zero: -0, half: 0.5 }, ',"zero":0,"half":0.5}'],
];
for (const [data, tail] of LINES)
  line(`data as ${tail}`, () => {
    assert.is(canonicalLine(record(data)), HEAD + tail);
    JSON.parse(HEAD + tail);
  });

const loop: { self?: object } = {};
loop.self = loop;
const REFUSED: readonly (readonly [name: string, data: object, path: RegExp])[] = [
  ['NaN', { a: { b: Number.NaN } }, /^tlp\.a\.b: NaN/],
  ['Infinity', { a: [Number.POSITIVE_INFINITY] }, /^tlp\.a\[0\]: Infinity/],
  ['a function', { f: () => 0 }, /^tlp\.f: function/],
  ['a symbol', { s: Symbol('x') }, /^tlp\.s: symbol/],
  ['a Map', { m: new Map() }, /^tlp\.m: Map/],
  ['another view', { v: new Uint16Array(1) }, /^tlp\.v: Uint16Array/],
  ['a cycle', loop, /nesting/],
  ['a reserved name', { src: 'x' }, /^tlp\.src: this name/],
];
for (const [name, data, path] of REFUSED)
  line(`refuses ${name}`, () => {
    assert.throws(() => canonicalLine(record(data)), path);
    assert.throws(
      () => canonicalLine(record(data)),
      (error: unknown) => error instanceof KernelError && error.code === 'UNTRACEABLE',
    );
  });

line.run();

const hash = suite('TraceHash');

hash('equals the SHA-256 of a file holding the lines', () => {
  const clock = { now: 0 };
  const trace = new TraceBus<Records>(clock);
  const traceHash = new TraceHash();
  let file = '';
  traceHash.listen(trace);
  trace.on('*', (seen) => {
    file += `${canonicalLine(seen)}\n`;
  });
  assert.is(traceHash.digest(), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  for (let i = 0; i < 5000; i++) {
    clock.now = i;
    trace.emit('state', `tdi${i % 7}é`, { from: 'a', to: String(i) });
    if (i === 10)
      assert.is(traceHash.digest(), createHash('sha256').update(file).digest('hex'), 'midway');
  }
  assert.ok(file.length > 200_000);
  assert.is(traceHash.digest(), createHash('sha256').update(file).digest('hex'));
});

hash('stops listening', () => {
  const trace = new TraceBus<Records>({ now: 0 });
  const traceHash = new TraceHash();
  const off = traceHash.listen(trace);
  off();
  const empty = traceHash.digest();
  trace.emit('state', 'a', { from: '', to: '' });
  assert.is(traceHash.digest(), empty);
});

hash.run();
