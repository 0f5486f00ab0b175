/** A short run of the fuzzer in every test run, and proof that it notices what it looks for. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SpdmResponder } from '../../protocols/spdm/responder/responder.ts';
import { buildCorpus } from './corpus.ts';
import { fuzz } from './main.ts';
import { requesterEpoch } from './requester-target.ts';
import { responderEpoch } from './responder-target.ts';

const test = suite('fuzz');
const corpus = buildCorpus();
const COUNT = 4000;
/** Where each takes a whole exchange, or a world of its own. */
const LIES = 500;

test('mutated requests: nothing throws, hangs or changes state on a refusal', () => {
  const tally = fuzz(responderEpoch(corpus, 7), COUNT, undefined);
  assert.equal(tally.findings, []);
  assert.is(tally.tries, COUNT);
  for (const outcome of ['answered', 'ERROR InvalidRequest', 'ERROR UnexpectedRequest'])
    assert.ok(tally.outcomes.has(outcome), outcome);
});

test('mutated answers: nothing throws or goes on for ever, and nothing comes of a fault', () => {
  const tally = fuzz(requesterEpoch(corpus, 7), LIES, undefined);
  assert.equal(tally.findings, []);
  assert.ok(tally.tries >= LIES);
  for (const outcome of ['good', 'MALFORMED_ANSWER', 'CHALLENGE_AUTH_SIGNATURE'])
    assert.ok(tally.outcomes.has(outcome), outcome);
});

test('the same seed gives the same outcomes', () => {
  const [one, two] = [1, 2].map(() => fuzz(responderEpoch(corpus, 3), 1000, undefined));
  assert.equal([...one!.outcomes], [...two!.outcomes]);
});

test('a responder that throws, or changes on a refusal, is found', () => {
  const receive = SpdmResponder.prototype.receive;
  try {
    SpdmResponder.prototype.receive = function (packet) {
      if (!packet.secured && packet.bytes[1] === 0xfe) throw new RangeError('out of bounds');
      const outcome = receive.call(this, packet);
      if (outcome.answer?.[1] === 0x7f) this.state.authenticated = !this.state.authenticated;
      return outcome;
    };
    const { findings } = fuzz(responderEpoch(corpus, 7), LIES, undefined);
    assert.ok(findings.some(({ what }) => what.includes('RangeError')));
    assert.ok(findings.some(({ what }) => what.includes('changed the state')));
  } finally {
    SpdmResponder.prototype.receive = receive;
  }
});

test('a requester that believes what it refused is found', () => {
  const remove = Map.prototype.delete;
  try {
    // Sessions that fail their handshake are kept.
    Map.prototype.delete = function (key) {
      return typeof key === 'number' && key > 0xffff ? false : remove.call(this, key);
    };
    const { findings } = fuzz(requesterEpoch(corpus, 7), LIES, undefined);
    assert.ok(findings.length > 0);
  } finally {
    Map.prototype.delete = remove;
  }
});

test.run();
