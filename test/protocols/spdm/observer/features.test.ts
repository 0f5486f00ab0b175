/** The listener on mutual authentication, provisioned keys, endpoint information and nested contents. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, fromHex } from '../../../../protocols/codec/bytes.ts';
import { describe } from '../../../../protocols/codec/describe.ts';
import { decode, encode } from '../../../../protocols/codec/layout.ts';
import { fixedIdentity, type Identity } from '../../../../protocols/spdm/identity.ts';
import { leafKeyOfChain } from '../../../../protocols/spdm/leaf-key.ts';
import { dmtfEventDetails, sendEvent } from '../../../../protocols/spdm/messages/events.ts';
import {
  measurementExtensionLog,
  melBlob,
} from '../../../../protocols/spdm/messages/measurement-extension-log.ts';
import { csr, getCsr, setCertificate } from '../../../../protocols/spdm/messages/provisioning.ts';
import { layoutOf } from '../../../../protocols/spdm/messages/registry.ts';
import { contentsOf } from '../../../../protocols/spdm/observer/contents.ts';
import type { KeyLogEntry } from '../../../../protocols/spdm/party.ts';
import { challenge } from '../../../../protocols/spdm/requester/auth.ts';
import { encapsulated } from '../../../../protocols/spdm/requester/encapsulated.ts';
import { getEndpointInfo } from '../../../../protocols/spdm/requester/endpoint-info.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { askEndpointInfo } from '../../../../protocols/spdm/responder/encapsulated-requests.ts';
import type { MutualAuthentication } from '../../../../protocols/spdm/responder/mutual.ts';
import { describeVendor } from '../../../../protocols/vendor/describe.ts';
import { buildCsr } from '../../../../protocols/x509/build-csr.ts';
import { subjectPublicKeyInfo } from '../../../../protocols/x509/spki.ts';
import { challenged, type MutualOptions, mutualPair, own, ownLeaf } from '../mutual-pair.ts';
import { crypto, Pair, slotOf } from '../pair.ts';
import { checksOf, faultsOf, hear, heardOf, type Loud, listener, packetsOf } from './listen.ts';

const test = suite('spdm observer, features');

function loudMutual(wanted: MutualAuthentication, options: MutualOptions = {}): Loud {
  const keyLog: KeyLogEntry[] = [];
  const tell = (entry: KeyLogEntry) => void keyLog.push(entry);
  const requester = { ...options.requester, keyLog: tell };
  return { pair: mutualPair(wanted, { ...options, requester }), keyLog };
}

const inTheClear = (clear: number) => ({ HANDSHAKE_IN_THE_CLEAR_CAP: clear });
const SPKI = subjectPublicKeyInfo(ownLeaf.algorithm, ownLeaf.publicKey);
const keyIdentity: Identity = {
  supportedSlots: 0,
  slots: () => new Map(),
  publicKey: () => ({ subjectPublicKeyInfo: SPKI, signer: own.signer }),
};

for (const version of [0x11, 0x12, 0x13, 0x14])
  for (const clear of [0, 1])
    for (const form of ['encapsulated', 'digests'] as const)
      test(`mutual authentication, ${form}, ${version.toString(16)}, clear ${clear}`, () => {
        const loud = loudMutual({ session: form }, { version, flags: inTheClear(clear) });
        const { pair } = loud;
        pair.authenticate();
        pair.good(heartbeat(pair.requester, pair.session()));
        const heard = heardOf(loud);
        assert.equal(faultsOf(heard), []);
        assert.ok(checksOf(heard).includes('FINISH Signature: verified'));
      });

test('mutual authentication with keys of their own in each slot (1.3)', () => {
  for (const version of [0x13, 0x14]) {
    const slot = { ...own, keyPairId: 1, certModel: 1, keyUsage: 0xf };
    const responderSlot = { ...slotOf('P256'), keyPairId: 1, certModel: 1, keyUsage: 0xf };
    const loud = loudMutual(
      { session: 'encapsulated' },
      {
        version,
        flags: { MULTI_KEY_CAP: 1 },
        identity: fixedIdentity(new Map([[0, slot]])),
        responder: { identity: fixedIdentity(new Map([[0, responderSlot]])) },
      },
    );
    loud.pair.authenticate();
    loud.pair.good(heartbeat(loud.pair.requester, loud.pair.session()));
    assert.equal(faultsOf(heardOf(loud)), []);
  }
});

test('mutual authentication through chunks', () => {
  const sizes = { dataTransferSize: 100, maxSpdmMsgSize: 0x4000 };
  for (const clear of [0, 1]) {
    const loud = loudMutual(
      { session: 'encapsulated' },
      { flags: { CHUNK_CAP: 1, ...inTheClear(clear) }, requester: sizes, responder: sizes },
    );
    loud.pair.authenticate();
    loud.pair.good(heartbeat(loud.pair.requester, loud.pair.session()));
    assert.equal(faultsOf(heardOf(loud)), []);
  }
});

test('CHALLENGE in the other direction', () => {
  for (const version of [0x11, 0x12]) {
    const loud = loudMutual({ basic: true }, { version });
    loud.pair.authenticate();
    assert.is(challenged(loud.pair), true);
    const heard = heardOf(loud);
    assert.equal(faultsOf(heard), []);
    assert.ok(checksOf(heard).includes('requester CHALLENGE_AUTH Signature: verified'));
  }
});

test('a provisioned public key of the requester: with it all is verified, without it nothing opens', () => {
  const loud = loudMutual(
    { session: 'encapsulated' },
    {
      identity: keyIdentity,
      flags: inTheClear(1),
      requesterFlags: { CERT_CAP: 0, CHAL_CAP: 0, PUB_KEY_ID_CAP: 1 },
      responder: { peerPublicKey: { subjectPublicKeyInfo: SPKI, key: ownLeaf } },
    },
  );
  loud.pair.authenticate();
  loud.pair.good(heartbeat(loud.pair.requester, loud.pair.session()));
  assert.equal(faultsOf(heardOf(loud, { publicKeys: { requester: SPKI } })), []);
  const said = faultsOf(heardOf(loud)).join('\n');
  assert.match(
    said,
    /FINISH Signature: unverifiable no public key \(slot 0xff\) is given for the req/,
  );
  assert.match(said, /undecrypted record: BAD_VALUE SessionID .*no public key \(slot 0xff\)/);
});

test('a provisioned public key of the responder', () => {
  const { signer } = slotOf('P256');
  const leaf = leafKeyOfChain(slotOf('P256').chain, 32)!;
  const der = subjectPublicKeyInfo(leaf.algorithm, leaf.publicKey);
  const identity: Identity = {
    supportedSlots: 0,
    slots: () => new Map(),
    publicKey: () => ({ subjectPublicKeyInfo: der, signer }),
  };
  const keyLog: KeyLogEntry[] = [];
  const pair = new Pair({
    responderFlags: { CERT_CAP: 0, PUB_KEY_ID_CAP: 1 },
    requester: {
      peerPublicKey: { subjectPublicKeyInfo: der, key: leaf },
      keyLog: (entry) => void keyLog.push(entry),
    },
    responder: { identity },
  });
  pair.good(negotiate(pair.requester));
  pair.good(challenge(pair.requester, 0xff, 0));
  const asked = { slot: 0xff, summaryType: 0, terminationPolicy: 0 } as const;
  pair.good(heartbeat(pair.requester, pair.good(openSession(pair.requester, asked))));
  const loud = { pair, keyLog };
  const heard = heardOf(loud, { publicKeys: { responder: der } });
  assert.equal(faultsOf(heard), []);
  assert.ok(checksOf(heard).includes('CHALLENGE_AUTH Signature: verified'));
  const said = faultsOf(heardOf(loud)).join('\n');
  assert.match(said, /the public key of the responder \(slot 0xff\) is not given/);
});

test('ENDPOINT_INFO of both sides is verified and described', () => {
  const classes = [{ ID: 3, VendorID: fromHex('0100'), SubordinateID: [] }];
  const loud = loudMutual(
    { session: 'encapsulated' },
    {
      version: 0x13,
      flags: { EP_INFO_CAP: 2 },
      requester: { deviceClasses: classes },
      responder: { deviceClasses: classes },
    },
  );
  const { pair } = loud;
  pair.authenticate();
  const session = pair.session();
  pair.good(getEndpointInfo(pair.requester, undefined, { slot: 0 }));
  pair.good(getEndpointInfo(pair.requester, session, {}));
  askEndpointInfo(pair.responder.state, session.id, { slot: 0, told: () => {} });
  pair.good(encapsulated(pair.requester, session));
  const heard = heardOf(loud);
  assert.equal(faultsOf(heard), []);
  const checks = checksOf(heard);
  assert.ok(checks.includes('ENDPOINT_INFO Signature: verified'));
  assert.ok(checks.includes('requester ENDPOINT_INFO Signature: verified'));
  const info = heard.find(({ name }) => name === 'ENDPOINT_INFO');
  const element = info?.fields.find(({ path }) => path === 'EPInfo.IdentifierElements[0].ID');
  assert.match(element?.text ?? '', /PCI-SIG/);
});

const header = (code: number) => ({
  SPDMVersion: 0x13,
  RequestResponseCode: code,
  Param1: 0,
  Param2: 0,
});
const request = buildCsr({
  crypto,
  subject: [['CN', 'A device']],
  algorithm: 'ECDSA_P256',
  privateKey: new Uint8Array(32).fill(7),
});
const mel = encode(melBlob, {
  MELEntries: [{ MELIndex: 1, MeasIndex: 2, ValueType: 0x89, Value: ascii('boot') }],
});
const noBytes = new Uint8Array(0);
const contents: readonly [name: string, bytes: Uint8Array, path: string, text: RegExp][] = [
  ['CSR', encode(csr, { ...header(0x6d), CSRdata: request }), 'CSRdata.subject', /^CN=A device$/],
  ['CSR', encode(csr, { ...header(0x6d), CSRdata: request }), 'CSRdata.signature', /verified$/],
  [
    'a CSR that was changed',
    encode(csr, { ...header(0x6d), CSRdata: changed(request) }),
    'CSRdata.signature',
    /WRONG$/,
  ],
  ['no CSR', encode(csr, { ...header(0x6d), CSRdata: fromHex('3000') }), '', /^$/],
  [
    'GET_CSR',
    encode(getCsr, { ...header(0xed), RequesterInfo: fromHex('00'), OpaqueData: noBytes }),
    '',
    /^$/,
  ],
  [
    'SET_CERTIFICATE',
    encode(setCertificate, { ...header(0xee), CertChain: slotOf('P256').chain }),
    'CertChain.Certificates[2].subject',
    /^CN=Leaf$/,
  ],
  [
    'MEL',
    encode(measurementExtensionLog, { ...header(0x6f), RemainderLength: 0, MEL: mel }),
    'MEL.MELEntries[0].ValueType',
    /Informational \(raw\)$/,
  ],
  [
    'SEND_EVENT',
    encode(sendEvent, {
      ...header(0xf1),
      EventsList: [
        {
          EventInstanceID: 1,
          ID: 0,
          VendorID: noBytes,
          EventTypeID: 4,
          EventDetail: encode(dmtfEventDetails[4], { CertificateChanged: 2 }),
        },
      ],
    }),
    'EventsList[0].EventType',
    /^CertificateChanged$/,
  ],
];
for (const [name, bytes, path, text] of contents)
  test(`what is inside, by name: ${name} ${path}`, () => {
    const table = layoutOf(bytes[1]!)!;
    const facts = { version: 0x13, hashSize: 32 };
    const { fields } = describe(table, bytes, facts);
    const decoded = decode(table, bytes, facts);
    assert.ok(decoded.ok);
    const negotiated = { version: 0x13, hashSize: 32 } as Parameters<typeof contentsOf>[3];
    const value = decoded.value as Record<string, unknown>;
    const inside = contentsOf(bytes[1]!, value, fields, negotiated, crypto);
    if (path === '') return assert.equal(inside, []);
    assert.match(inside.find((field) => field.path === path)?.text ?? 'absent', text);
  });

test('vendor messages are named in the large form of 1.4 too', () => {
  const { pair } = loudMutual({}, { version: 0x14 });
  const loud = { pair: pair.authenticate(), keyLog: [] };
  const observer = listener(loud, { describeVendor });
  hear(observer, packetsOf(loud));
  for (const [hex, says] of [
    ['14fe8000030002010060800400000000000001', 'IDE_KM QUERY'],
    ['14fe000003000201000400 00000001', 'IDE_KM QUERY'],
    [
      '14fe8000030002010000001100000001 10810000 00000100 00000000 00000000',
      'TDISP GET_TDISP_VERSION',
    ],
    ['14fe800003000298 1e000004000000 00000000', 'CXL_IDE_KM QUERY'],
  ] as const) {
    const { vendor, refusal } = observer.plain(fromHex(hex));
    assert.is(`${vendor?.protocol} ${vendor?.name}`, says, refusal?.detail);
  }
});

function changed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[copy.length - 1]! ^= 1;
  return copy;
}

test.run();
