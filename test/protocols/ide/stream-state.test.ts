import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ENABLED_STATES,
  STREAM_TABLE,
  type StreamEvent,
  StreamEvents,
  type StreamState,
  StreamStates,
  streamStateDiagram,
} from '../../../protocols/ide/index.ts';
import { IdeStream } from '../../../protocols/ide/stream.ts';

const test = suite('ide stream state');

const N = 'INSECURE_NO_KEYS';
const R = 'INSECURE_READY';
const G = 'INSECURE_GO';
const EN = 'ENABLED_NO_KEYS';
const ER = 'ENABLED_READY';
const S = 'SECURE';
const F = 'INSECURE_FAILED';
const columns = [N, R, G, EN, ER, S, F] as const;

/** Written down on its own: `*` keys destroyed, `-` refused. Columns as above. */
const expected: Readonly<Record<StreamEvent, readonly string[]>> = {
  KEYS_INCOMPLETE: [N, N, N, EN, EN, `${F}*`, F],
  KEYS_COMPLETE: [R, R, R, ER, ER, `${F}*`, F],
  GO_COMPLETE: [G, G, G, S, S, S, F],
  ENABLE_SET: [EN, ER, S, '-', '-', '-', '-'],
  ENABLE_SET_MISCONFIGURED: [`${F}*`, `${F}*`, `${F}*`, '-', '-', '-', '-'],
  ENABLE_CLEARED: ['-', '-', '-', N, R, `${N}*`, N],
  IDE_CHECK_FAILED: ['-', '-', '-', '-', '-', `${F}*`, '-'],
  CONFIG_ALTERED: [N, R, G, `${F}*`, `${F}*`, `${F}*`, `${F}*`],
  STREAM_ID_CHANGED: [`${N}*`, `${N}*`, `${N}*`, '-', '-', '-', '-'],
  SESSION_ENDED: [`${N}*`, `${N}*`, `${N}*`, `${EN}*`, `${EN}*`, `${F}*`, `${F}*`],
  RESET: columns.map(() => `${N}*`),
  IDE_FAIL_RECEIVED: [...columns],
};

test('every state x every event, both in the table and in a stream', () => {
  assert.equal(Object.keys(StreamStates).sort(), [...columns].sort());
  assert.equal(Object.keys(expected).sort(), Object.keys(StreamEvents).sort());
  for (const [event, row] of Object.entries(expected) as [StreamEvent, string[]][])
    for (const [i, cell] of row.entries()) {
      const from = columns[i]!;
      const step = STREAM_TABLE[from][event];
      const text = 'refused' in step ? '-' : step.next + (step.invalidate ? '*' : '');
      assert.is(text, cell, `${from} x ${event}`);

      const stream = new IdeStream({
        portIndex: 0,
        kind: 'selective',
        index: 0,
        addressAssociations: 0,
      });
      stream.state = from;
      const effects = stream.fire(event, 'test');
      assert.is(stream.state, cell === '-' ? from : cell.replace('*', ''), `${from} x ${event}`);
      assert.is(effects.length, stream.state === from ? 0 : 1, `${from} x ${event}`);
    }
});

test('only SECURE is left with a Secure status, and only enabled states refuse ENABLE_SET', () => {
  for (const state of columns) {
    const stream = new IdeStream({ portIndex: 0, kind: 'link', index: 0, addressAssociations: 0 });
    stream.state = state;
    assert.is(stream.status & 0xf, state === S ? 2 : 0);
    const step = STREAM_TABLE[state].ENABLE_SET;
    assert.is('refused' in step, ENABLED_STATES.includes(state));
  }
});

test('whatever leaves SECURE destroys the keys', () => {
  for (const [event, step] of Object.entries(STREAM_TABLE.SECURE))
    if (!('refused' in step) && step.next !== S) assert.ok(step.invalidate, event);
});

test('no path from INSECURE_FAILED to SECURE avoids clearing Enable', () => {
  const seen = new Set<StreamState>([F]);
  for (const state of seen)
    for (const [event, step] of Object.entries(STREAM_TABLE[state]))
      if (!('refused' in step) && event !== 'ENABLE_CLEARED' && event !== 'RESET')
        seen.add(step.next);
  assert.equal([...seen], [F]);
});

test('diagram', () => {
  const text = streamStateDiagram();
  assert.match(text, /^stateDiagram-v2\n/);
  assert.match(text, 'INSECURE_GO --> SECURE: ENABLE_SET\n');
  assert.match(text, 'ENABLED_READY --> SECURE: GO_COMPLETE\n');
});

test.run();
