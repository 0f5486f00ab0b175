/** What SPDM signs (DSP0274 15): the 100-byte prefix for each use, and the form before 1.2. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  type SigningContext,
  SigningContexts,
  signedMessage,
  signingPrefix,
  signTranscript,
  verifyTranscript,
} from '../../../protocols/spdm/signing.ts';
import { crypto, flipped } from './pair.ts';

const test = suite('spdm signing');

/** "dmtf-spdm-v1.2.*" four times. */
const PREFIX_1_2 = '646d74662d7370646d2d76312e322e2a'.repeat(4);
const contexts: [SigningContext, string][] = [
  [
    'responder-challenge_auth signing',
    '00000000726573706f6e6465722d6368616c6c656e67655f61757468207369676e696e67',
  ],
  [
    'requester-challenge_auth signing',
    '000000007265717565737465722d6368616c6c656e67655f61757468207369676e696e67',
  ],
  [
    'responder-measurements signing',
    '000000000000726573706f6e6465722d6d6561737572656d656e7473207369676e696e67',
  ],
  [
    'responder-key_exchange_rsp signing',
    '0000726573706f6e6465722d6b65795f65786368616e67655f727370207369676e696e67',
  ],
  [
    'requester-finish signing',
    '0000000000000000000000007265717565737465722d66696e697368207369676e696e67',
  ],
  [
    'responder-endpoint_info signing',
    '0000000000726573706f6e6465722d656e64706f696e745f696e666f207369676e696e67',
  ],
  [
    'requester-endpoint_info signing',
    '00000000007265717565737465722d656e64706f696e745f696e666f207369676e696e67',
  ],
];

for (const [context, tail] of contexts)
  test(`the prefix of ${context}`, () => {
    const prefix = signingPrefix(0x12, context);
    assert.is(prefix.length, 100);
    assert.is(toHex(prefix), PREFIX_1_2 + tail);
  });

test('every context the engine may name has a line above', () => {
  const named = contexts.map(([context]) => context);
  for (const context of Object.values(SigningContexts)) assert.ok(named.includes(context), context);
});

test('the version digit follows the negotiated version', () => {
  const digits: [number, string][] = [
    [0x12, '2'],
    [0x13, '3'],
    [0x14, '4'],
  ];
  for (const [version, digit] of digits) {
    const text = String.fromCharCode(...signingPrefix(version, SigningContexts.FINISH));
    assert.is(text.slice(0, 64), `dmtf-spdm-v1.${digit}.*`.repeat(4));
  }
});

const transcript = ascii('any transcript');
const { CHALLENGE_AUTH, MEASUREMENTS } = SigningContexts;

test('up to 1.1 the transcript itself is signed, from 1.2 on prefix and hash', () => {
  for (const version of [0x10, 0x11])
    assert.equal(signedMessage(crypto, 'SHA_384', version, CHALLENGE_AUTH, transcript), transcript);
  for (const version of [0x12, 0x13, 0x14])
    assert.equal(
      signedMessage(crypto, 'SHA_384', version, CHALLENGE_AUTH, transcript),
      concat(signingPrefix(version, CHALLENGE_AUTH), crypto.hash('SHA_384', transcript)),
    );
});

const privateKey = new Uint8Array(32).fill(0x33);
const publicKey = crypto.publicKey('SECP_256_R1', privateKey);
const signer = { algorithm: 'ECDSA_P256', privateKey } as const;
const scopeOf = (version: number) => ({ crypto, hash: 'SHA_256', version }) as const;

test('a signature holds for its version, context and transcript only', () => {
  for (const version of [0x10, 0x11, 0x12, 0x13]) {
    const scope = scopeOf(version);
    const signature = signTranscript(scope, signer, CHALLENGE_AUTH, transcript);
    const holds = (
      changes: { version?: number; context?: SigningContext; transcript?: Uint8Array } = {},
      bytes = signature,
    ) =>
      verifyTranscript(
        scopeOf(changes.version ?? version),
        'ECDSA_P256',
        publicKey,
        changes.context ?? CHALLENGE_AUTH,
        changes.transcript ?? transcript,
        bytes,
      );
    assert.ok(holds());
    assert.not(holds({ transcript: flipped(transcript, 3, 1) }));
    assert.not(holds({}, flipped(signature, 40, 0x10)));
    assert.not(holds({}, signature.slice(1)));
    // Before 1.2 a signature does not tell what it was made for.
    assert.is(holds({ context: MEASUREMENTS }), version < 0x12);
    assert.is(holds({ version: version ^ 1 }), version < 0x12);
  }
});

test('an empty private key is our own mistake', () => {
  const none = { algorithm: 'ECDSA_P256', privateKey: new Uint8Array(0) } as const;
  assert.throws(
    () => signTranscript(scopeOf(0x12), none, CHALLENGE_AUTH, transcript),
    (error: unknown) => error instanceof LocalError && /signer/.test(error.message),
  );
});

test.run();
