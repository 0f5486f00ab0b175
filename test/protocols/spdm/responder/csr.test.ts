/** GET_CSR: what a CSR says, tags and resets, and lengths that lie. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault, LocalError } from '../../../../protocols/codec/refusal.ts';
import { getCertificate, getDigests } from '../../../../protocols/spdm/requester/certificates.ts';
import {
  type CsrAsked,
  getCsr,
  type ResetRequired,
  setCertificate,
} from '../../../../protocols/spdm/requester/provisioning.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { buildCertificate } from '../../../../protocols/x509/build.ts';
import { buildCsr } from '../../../../protocols/x509/build-csr.ts';
import { type CertificationRequest, parseCsr } from '../../../../protocols/x509/csr.ts';
import { crypto, flipped } from '../pair.ts';
import {
  blobOf,
  certificatesFor,
  keyOf,
  MULTI_KEY,
  type ProvisionedOptions,
  ProvisionedPair,
} from '../provisioned.ts';

const test = suite('spdm GET_CSR');
const RESET = { CERT_INSTALL_RESET_CAP: 1 };

function negotiated(options: ProvisionedOptions = {}): ProvisionedPair {
  const pair = new ProvisionedPair(options);
  pair.good(negotiate(pair.requester));
  return pair;
}
const publicKeyOf = (fill: number) => crypto.signingPublicKey('ECDSA_P256', keyOf(fill));
const ask = (pair: ProvisionedPair, asked: CsrAsked = {}) =>
  pair.good(getCsr(pair.requester, undefined, asked));
function csrOf(got: CertificationRequest | ResetRequired): CertificationRequest {
  if ('resetRequired' in got) throw new Error('a reset is required');
  return got;
}

/** CertificationRequestInfo with a subject of the requester's choice. */
function requesterInfo(name: string): Uint8Array {
  const csr = parseCsr(
    buildCsr({ crypto, algorithm: 'ECDSA_P256', privateKey: keyOf(9), subject: [['CN', name]] }),
  );
  assert.ok(csr.ok);
  return csr.value.info.der;
}

for (const version of [0x12, 0x13, 0x14])
  test(`${version.toString(16)}: a CSR is for the device's key, signed by it`, () => {
    const pair = negotiated({ version });
    const csr = csrOf(ask(pair));
    assert.is(csr.info.subject, 'CN=Device');
    assert.equal(csr.publicKey.key, publicKeyOf(0x33));
    const told = csrOf(ask(pair, { requesterInfo: requesterInfo('Asked') }));
    assert.is(told.info.subject, 'CN=Asked');
    assert.equal(told.publicKey.key, publicKeyOf(0x33));
  });

test('in a multi-key connection a CSR is for the key pair that is named', () => {
  const pair = negotiated({ version: 0x13, responderFlags: MULTI_KEY });
  const csr = csrOf(ask(pair, { keyPairId: 2, certModel: 1 }));
  assert.equal(csr.publicKey.key, publicKeyOf(0x44));
});

test('a CSR is asked for in a session too', () => {
  const pair = new ProvisionedPair().authenticate();
  const session = pair.session();
  const csr = csrOf(pair.good(getCsr(pair.requester, session)));
  assert.equal(csr.publicKey.key, publicKeyOf(0x33));
});

test('CSR, certificate by an authority, SET_CERTIFICATE, GET_CERTIFICATE', () => {
  const provisioning = { trustedEnvironment: () => true };
  const pair = negotiated({ version: 0x13, responderFlags: MULTI_KEY, provisioning });
  const { publicKey } = csrOf(ask(pair, { keyPairId: 2, certModel: 3 }));
  const [root, intermediate] = certificatesFor(0x33) as [Uint8Array, Uint8Array];
  const leaf = buildCertificate(
    crypto,
    {
      issuer: [['CN', 'Intermediate']],
      subject: [['CN', 'Device']],
      serialNumber: Uint8Array.of(5),
      notBefore: '20240101000000Z',
      notAfter: '20441231235959Z',
      algorithm: 'ECDSA_P256',
      publicKey: publicKey.key,
      extensions: { basicConstraints: { cA: false }, keyUsage: ['digitalSignature'] },
    },
    { signature: 'ECDSA_P256', privateKey: keyOf(0x22) },
  );
  const blob = blobOf([root, intermediate, leaf]);
  const asked = { slot: 3, keyPairId: 2, certModel: 3 };
  pair.good(setCertificate(pair.requester, undefined, asked, blob));
  const digest = pair.good(getDigests(pair.requester)).get(3);
  assert.equal(pair.good(getCertificate(pair.requester, 3, digest)), blob);
});

test('1.2 with CERT_INSTALL_RESET_CAP: the same request after the reset fetches the CSR', () => {
  const pair = negotiated({ responderFlags: RESET });
  const waits = { resetRequired: true, trackingTag: 0 };
  assert.equal(ask(pair), waits);
  assert.equal(ask(pair), waits);
  pair.store.deviceReset();
  const csr = csrOf(ask(pair));
  assert.equal(csr.publicKey.key, publicKeyOf(0x33));
  assert.equal(csrOf(ask(pair)).der, csr.der);
  const other = { requesterInfo: requesterInfo('Other') };
  assert.equal(ask(pair, other), waits);
  pair.store.deviceReset();
  assert.is(csrOf(ask(pair, other)).info.subject, 'CN=Other');
});

test('1.3 with CERT_INSTALL_RESET_CAP: each request has a tag that fetches its own CSR', () => {
  const pair = negotiated({ version: 0x13, responderFlags: RESET });
  const names = ['A', 'B', 'C', 'D', 'E', 'F', 'G'];
  for (const [i, name] of names.entries())
    assert.equal(ask(pair, { requesterInfo: requesterInfo(name) }), {
      resetRequired: true,
      trackingTag: i + 1,
    });
  const before = pair.all;
  const busy = pair.run(getCsr(pair.requester, undefined));
  assert.is(isPeerFault(busy) && busy.code, 'SPDM_ERROR_Busy');
  assert.is(pair.all, before);
  const third = { requesterInfo: requesterInfo('C'), trackingTag: 3 };
  assert.equal(ask(pair, third), { resetRequired: true, trackingTag: 3 });
  pair.store.deviceReset();
  assert.is(csrOf(ask(pair, third)).info.subject, 'CN=C');
  const last = { requesterInfo: requesterInfo('G'), trackingTag: 7 };
  assert.is(csrOf(ask(pair, last)).info.subject, 'CN=G');
  for (const wrong of [{ ...third, trackingTag: 4 }, { trackingTag: 3 }]) {
    const refused = pair.run(getCsr(pair.requester, undefined, wrong));
    assert.is(isPeerFault(refused) && refused.code, 'SPDM_ERROR_UnexpectedRequest');
  }
  assert.equal(ask(pair, { overwrite: true }), { resetRequired: true, trackingTag: 1 });
  const gone = pair.run(getCsr(pair.requester, undefined, third));
  assert.is(isPeerFault(gone) && gone.code, 'SPDM_ERROR_UnexpectedRequest');
  pair.store.deviceReset();
  assert.is(csrOf(ask(pair, { trackingTag: 1 })).info.subject, 'CN=Device');
});

const info = requesterInfo('R');
const getCsrBytes = (infoLength: number, opaqueLength: number, rest: Uint8Array, param2 = 0) =>
  concat(Uint8Array.of(0x12, 0xed, 0, param2), le(infoLength, 2), le(opaqueLength, 2), rest);
const OPAQUE_OK = fromHex('00000000');
const lies: [what: string, request: Uint8Array][] = [
  ['RequesterInfoLength one too long', getCsrBytes(info.length + 1, 0, info)],
  ['RequesterInfoLength of all ones', getCsrBytes(0xffff, 0, info)],
  ['OpaqueDataLength of all ones', getCsrBytes(info.length, 0xffff, info)],
  ['both of all ones', getCsrBytes(0xffff, 0xffff, info)],
  ['lengths whose sum is 0 in 16 bits', getCsrBytes(0x8000, 0x8000, info)],
  ['OpaqueDataLength beyond what may be', getCsrBytes(0, 1025, new Uint8Array(1025))],
  ['RequesterInfo one byte short', getCsrBytes(info.length - 1, 0, info)],
  ['RequesterInfo that is no DER', getCsrBytes(4, 0, fromHex('30ff0000'))],
  ['RequesterInfo cut', getCsrBytes(info.length, 0, info.subarray(0, 20))],
  ['RequesterInfo with a wrong version', getCsrBytes(info.length, 0, flipped(info, 6, 0xff))],
  [
    'opaque data of the format, beyond what may be',
    getCsrBytes(0, 1032, concat(fromHex('01000000 0000 0004'), new Uint8Array(1024))),
  ],
  ['opaque data that is none', getCsrBytes(0, 4, fromHex('ff000000'))],
  ['no lengths', fromHex('12ed0000')],
  ['half the lengths', fromHex('12ed00000000')],
];
for (const [what, request] of lies)
  test(`GHSA-j54w-759w-xj3m ${what}: InvalidRequest, and nothing changes`, () => {
    for (const responderFlags of [{}, RESET]) {
      const pair = negotiated({ responderFlags });
      const before = pair.all;
      assert.is(toHex(pair.plain(request)!), '127f0100');
      assert.is(pair.all, before);
    }
  });

test('opaque data of the agreed format is taken', () => {
  const pair = negotiated();
  const answer = pair.plain(getCsrBytes(info.length, 4, concat(info, OPAQUE_OK)))!;
  assert.is(toHex(answer.subarray(0, 2)), '126d');
});

const refusals: [what: string, options: ProvisionedOptions, request: string, answer: string][] = [
  ['1.1', { version: 0x11 }, '11ed000000000000', '117f07ed'],
  ['no CSR_CAP', { responderFlags: { CSR_CAP: 0 } }, '12ed000000000000', '127f07ed'],
  ['no provisioning, though the flag says so', { bare: true }, '12ed000000000000', '127f07ed'],
  ['a tag and no reset', { version: 0x13 }, '13ed000800000000', '137f0100'],
  ['a tag and Overwrite', { version: 0x13, responderFlags: RESET }, '13ed008800000000', '137f0100'],
  ['a tag nobody has', { version: 0x13, responderFlags: RESET }, '13ed000800000000', '137f0400'],
  ['a key pair without multi-key', { version: 0x13 }, '13ed010000000000', '137f0100'],
  ['a model without multi-key', { version: 0x13 }, '13ed000100000000', '137f0100'],
  ...(
    [
      ['KeyPairID 0', '13ed000100000000', '137f0100'],
      ['no model', '13ed010000000000', '137f0100'],
      ['model 4', '13ed010400000000', '137f0100'],
      ['a key pair that does not exist', '13ed040100000000', '137f0100'],
      ['a key pair without a key', '13ed030100000000', '137f4400'],
      ['the alias model without a device key', '13ed010200000000', '137f4400'],
    ] as const
  ).map(
    ([what, request, answer]) =>
      [`multi-key: ${what}`, { version: 0x13, responderFlags: MULTI_KEY }, request, answer] as [
        string,
        ProvisionedOptions,
        string,
        string,
      ],
  ),
];
for (const [what, options, request, answer] of refusals)
  test(`refused: ${what}`, () => {
    const pair = negotiated(options);
    const before = pair.all;
    assert.is(toHex(pair.plain(request)!), answer);
    assert.is(pair.all, before);
  });

test('a device whose CSRs have no content gives none', () => {
  const provisioning = new ProvisionedPair().responder.state.config.provisioning!;
  const { store } = provisioning;
  const pair = new ProvisionedPair({ responder: { provisioning: { store }, identity: store } });
  pair.good(negotiate(pair.requester));
  assert.is(toHex(pair.plain('12ed000000000000')!), '127f07ed');
});

test('the requester refuses a CSR that is not signed by its own key, and one that is none', () => {
  for (const [at, code] of [
    [-1, 'CSR_SIGNATURE'],
    [8, 'CSR_ENCODING'],
  ] as const) {
    const pair = negotiated();
    pair.tap = (packet, direction) => {
      if (direction === 'request') return packet;
      const { bytes } = packet;
      return { ...packet, bytes: flipped(bytes, at < 0 ? bytes.length + at : at, 1) };
    };
    const refused = pair.run(getCsr(pair.requester, undefined));
    assert.is(isPeerFault(refused) && refused.code, code);
  }
});

test('a tag that is none is a mistake of the caller', () => {
  const pair = negotiated({ version: 0x13 });
  for (const trackingTag of [-1, 8, 1.5])
    assert.throws(
      () => pair.run(getCsr(pair.requester, undefined, { trackingTag })),
      (error: unknown) => error instanceof LocalError,
    );
});

test.run();
