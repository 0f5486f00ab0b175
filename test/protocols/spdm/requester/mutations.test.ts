/**
 * A hostile responder: every answer of a whole conversation with every field wrong, even where it is sealed
 * with the right keys. Each ends in a named fault, or is harmless and listed as such.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { layoutOf } from '../../../../protocols/spdm/messages/registry.ts';
import { answering, answersOf, converse, wrongAnswers } from '../conversation.ts';
import { Pair, type PairOptions } from '../pair.ts';

const test = suite('spdm requester mutations');

const ANY = ['MALFORMED_ANSWER', 'ANSWER_VERSION', 'ANSWER_CODE'];
/** Faults each answer may end in besides those any message may. */
const faults: Record<string, readonly string[]> = {
  VERSION: ['NO_COMMON_VERSION', 'CHALLENGE_AUTH_SIGNATURE'],
  CAPABILITIES: [
    'CAPABILITIES_CT_EXPONENT',
    'CAPABILITIES_DATA_TRANSFER_SIZE',
    'CAPABILITIES_MEAS_CAP',
    'CAPABILITIES_MESSAGE_SIZE',
    'CHALLENGE_AUTH_SIGNATURE',
  ],
  ALGORITHMS: [
    'ALGORITHMS_AEAD',
    'ALGORITHMS_BASE_ASYM',
    'ALGORITHMS_BASE_HASH',
    'ALGORITHMS_DHE',
    'ALGORITHMS_KEY_SCHEDULE',
    'ALGORITHMS_LENGTH',
    'ALGORITHMS_MEASUREMENT_HASH',
    'ALGORITHMS_NOT_OFFERED',
    'ALGORITHMS_TABLES',
    'CHALLENGE_AUTH_SIGNATURE',
  ],
  DIGESTS: ['CERTIFICATE_DIGEST', 'CHALLENGE_AUTH_SIGNATURE'],
  CERTIFICATE: ['CERTIFICATE_DIGEST', 'CERTIFICATE_PORTION', 'CHALLENGE_AUTH_SIGNATURE'],
  CHALLENGE_AUTH: ['CHALLENGE_AUTH_CHAIN', 'CHALLENGE_AUTH_SIGNATURE', 'CHALLENGE_AUTH_SLOT'],
  MEASUREMENTS: ['MEASUREMENTS_SIGNATURE', 'MEASUREMENTS_SLOT'],
  KEY_EXCHANGE_RSP: [
    'KEY_EXCHANGE_OPAQUE',
    'KEY_EXCHANGE_SECURED_VERSION',
    'KEY_EXCHANGE_SIGNATURE',
    'KEY_EXCHANGE_VERIFY_DATA',
  ],
  // TH2 differs: what follows does not open on the other side.
  FINISH_RSP: ['SPDM_ERROR_DecryptError'],
  HEARTBEAT_ACK: [],
  VENDOR_DEFINED: ['SPDM_ERROR_0x0', 'VENDOR_ANSWER'],
  END_SESSION_ACK: [],
};
const PARAMS = /^Param[12]:/;
/** Wrong answers that are taken: padding, reserved parameters of sealed answers, and the payload. */
const harmless: Record<string, RegExp> = {
  HEARTBEAT_ACK: PARAMS,
  END_SESSION_ACK: PARAMS,
  VENDOR_DEFINED: /^Param[12]:|^Payload:flip-last$/,
};

function sweep(options: PairOptions, codes?: readonly number[]): void {
  const whole = new Pair(options);
  for (const answer of answersOf(whole)) {
    const code = answer.bytes[1]!;
    if (codes !== undefined && !codes.includes(code)) continue;
    const { name } = layoutOf(code)!;
    const sealed = answer.sessionId !== undefined;
    const clear = options.flags?.HANDSHAKE_IN_THE_CLEAR_CAP === 1;
    const expected = clear && name === 'FINISH_RSP' ? ['FINISH_VERIFY_DATA'] : faults[name]!;
    const title = `answer ${answer.index}, ${name}${sealed ? ', sealed' : ''}${clear ? ', clear' : ''}`;
    test(`F-S01 ${title}`, () => {
      const met = new Set<string>();
      for (const { name: lie, bytes } of wrongAnswers(whole, answer)) {
        const pair = answering(new Pair(options), answer.index, bytes);
        const { fault, session } = converse(pair);
        if (fault === undefined) {
          const padding = !sealed && lie === 'end:one-byte-more';
          assert.ok(padding || harmless[name]?.test(lie), `${lie} was taken`);
          continue;
        }
        met.add(fault.code);
        assert.ok([...ANY, ...expected].includes(fault.code), `${lie}: ${fault.code}`);
        if (answer.index < 9) assert.is(session, undefined, `${lie}: no session`);
      }
      for (const each of expected) assert.ok(met.has(each), `${each} is met`);
    });
  }
}

sweep({});
sweep({ flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } }, [0x65]);

/** From 1.3 on the context must come back. */
for (const [index, code, fault] of [
  [6, 0x03, 'CHALLENGE_AUTH_CONTEXT'],
  [7, 0x60, 'MEASUREMENTS_CONTEXT'],
  [10, 0x60, 'MEASUREMENTS_CONTEXT'],
] as const)
  test(`1.3: ${fault} of answer ${index}`, () => {
    const options = { version: 0x13 };
    const whole = new Pair(options);
    const answer = answersOf(whole)[index]!;
    assert.is(answer.bytes[1], code);
    let count = 0;
    for (const { name, bytes } of wrongAnswers(whole, answer)) {
      if (!/^RequesterContext:flip/.test(name)) continue;
      count++;
      const pair = answering(new Pair(options), index, bytes);
      assert.is(converse(pair).fault?.code, fault);
    }
    assert.is(count, 2);
  });

test.run();
