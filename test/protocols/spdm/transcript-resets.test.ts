/** Which transcripts a request starts anew (DSP0274 15): every request code, before and after CHALLENGE. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii } from '../../../protocols/codec/bytes.ts';
import { ConnectionTranscript } from '../../../protocols/spdm/transcript.ts';

const test = suite('spdm transcript resets');

/** A, B, C, mutual B and C as M and N, L1/L2 as L: what stays is named, what goes is a dot. */
const NAMES = 'ABCMNL';
const logsOf = ({ a, b, c, mutB, mutC, l }: ConnectionTranscript) => [a, b, c, mutB, mutC, l];

function left(code: number, authenticated: boolean): string {
  const transcript = new ConnectionTranscript();
  for (const [i, log] of logsOf(transcript).entries()) log.add(ascii(NAMES[i]!));
  transcript.onRequest(code, authenticated);
  return logsOf(transcript)
    .map((log, i) => (log.empty ? '.' : NAMES[i]))
    .join('');
}

/** Any request that is not listed ends the L1/L2 window and leaves the rest. */
const OTHERS = 'ABCMN.';
const SKIPS_CHALLENGE = ['A.....', OTHERS] as const;
/** code -> what stays before the responder is authenticated, and after */
const listed: Readonly<Record<number, readonly [before: string, after: string]>> = {
  129: ['A.CMN.', 'A.CMN.'], // GET_DIGESTS
  131: ['AB.MN.', 'AB.MN.'], // CHALLENGE
  132: ['......', '......'], // GET_VERSION
  133: [NAMES, NAMES], // CHUNK_SEND
  134: [NAMES, NAMES], // CHUNK_GET
  224: ['A....L', NAMES], // GET_MEASUREMENTS
  228: SKIPS_CHALLENGE, // KEY_EXCHANGE
  229: SKIPS_CHALLENGE, // FINISH
  230: SKIPS_CHALLENGE, // PSK_EXCHANGE
  231: SKIPS_CHALLENGE, // PSK_FINISH
  232: SKIPS_CHALLENGE, // HEARTBEAT
  233: SKIPS_CHALLENGE, // KEY_UPDATE
  234: SKIPS_CHALLENGE, // GET_ENCAPSULATED_REQUEST
  235: ['A..MN.', OTHERS], // DELIVER_ENCAPSULATED_RESPONSE
  236: SKIPS_CHALLENGE, // END_SESSION
  239: SKIPS_CHALLENGE, // GET_MEASUREMENT_EXTENSION_LOG
  255: [NAMES, NAMES], // RESPOND_IF_READY
};

test('every request code, before and after authentication', () => {
  for (let code = 0x80; code <= 0xff; code++) {
    const [before, after] = listed[code] ?? [OTHERS, OTHERS];
    assert.is(left(code, false), before, `0x${code.toString(16)} before`);
    assert.is(left(code, true), after, `0x${code.toString(16)} after`);
  }
});

test('M1/M2 is A, B and C; the mutual one has A from 1.2 on', () => {
  const transcript = new ConnectionTranscript();
  for (const [i, log] of logsOf(transcript).entries()) log.add(ascii(NAMES[i]!));
  assert.equal(transcript.m1m2(), ascii('ABC'));
  for (const [version, text] of [
    [0x10, 'MN'],
    [0x11, 'MN'],
    [0x12, 'AMN'],
    [0x13, 'AMN'],
    [0x14, 'AMN'],
  ] as const)
    assert.equal(transcript.mutualM1m2(version), ascii(text));
});

/** Requests before and after ALGORITHMS, `D` a DIGESTS answer; whether it is in TH of a multi-key connection. */
const windows: [name: string, steps: (number | 'ALGORITHMS' | 'D1' | 'D2')[], digests: string][] = [
  ['none', ['ALGORITHMS'], ''],
  ['at once', ['ALGORITHMS', 0x81, 'D1'], 'D1'],
  ['the first of two', ['ALGORITHMS', 0x81, 'D1', 0x81, 'D2'], 'D1'],
  ['after another request', ['ALGORITHMS', 0x82, 0x81, 'D1'], ''],
  ['and another request after it', ['ALGORITHMS', 0x81, 'D1', 0x82, 0x83], 'D1'],
  ['with chunks between', ['ALGORITHMS', 0x81, 0x86, 0x86, 'D1'], 'D1'],
  ['before GET_VERSION', ['ALGORITHMS', 0x81, 'D1', 0x84], ''],
  ['before ALGORITHMS', [0x81, 'D1', 'ALGORITHMS'], ''],
];
for (const [name, steps, digests] of windows)
  test(`DIGESTS in TH: ${name}`, () => {
    const transcript = new ConnectionTranscript();
    for (const step of steps) {
      if (step === 'ALGORITHMS') transcript.negotiated();
      else if (typeof step === 'string') transcript.addDigests(ascii(step));
      else transcript.onRequest(step, false);
    }
    assert.equal(transcript.handshakeStart(true), ascii(digests));
    assert.equal(transcript.handshakeStart(false), ascii(''));
  });

test('a request inside a session ends the window for DIGESTS too', () => {
  const transcript = new ConnectionTranscript();
  transcript.negotiated();
  transcript.closesDigestsWindow(0xe8);
  transcript.addDigests(ascii('D'));
  assert.equal(transcript.handshakeStart(true), ascii(''));
});

test.run();
