/** The lines people read about a chain. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeChain } from '../../../protocols/x509/describe.ts';
import { oidName } from '../../../protocols/x509/oids.ts';
import { CA, deviceChain, issue, parsed, party } from './fixtures.ts';

const test = suite('x509 describe');

test('a device chain', () => {
  assert.equal(describeChain(parsed(deviceChain('ECDSA_P384').certificates)), [
    '[0] root CA: C=US, O=Acme\\, Inc., CN=Test Root CA',
    '    issuer   itself',
    '    validity 2024-01-01T00:00:00Z to no expiration',
    '    serial   0080000001',
    '    key      SECP_384_R1, signed with ecdsa-with-SHA384',
    '[1] intermediate CA: C=US, O=Acme\\, Inc., CN=Test Device CA',
    '    issuer   C=US, O=Acme\\, Inc., CN=Test Root CA',
    '    validity 2024-01-01T00:00:00Z to no expiration',
    '    serial   0080000002',
    '    key      SECP_384_R1, signed with ecdsa-with-SHA384',
    '[2] leaf: C=US, O=Acme\\, Inc., CN=Test Device',
    '    issuer   C=US, O=Acme\\, Inc., CN=Test Device CA',
    '    validity 2024-01-01T00:00:00Z to no expiration',
    '    serial   0080000003',
    '    key      SECP_384_R1, signed with ecdsa-with-SHA384',
    '    device   ACME:WIDGET:0123456789',
    '    usage    id-DMTF-eku-responder-auth, serverAuth',
    '    marks    id-DMTF-hardware-identity',
  ]);
});

test('a name cannot reach the terminal', () => {
  const nasty = party('\u001b[2J\u202eevil', 2);
  const der = issue(party('A', 1), nasty, CA, { notAfter: '20301231235959Z' });
  const [subject, , validity] = describeChain(parsed([der]));
  assert.is(subject, '[0] intermediate CA: CN=\\u{1b}[2J\\u{202e}evil');
  assert.is(validity, '    validity 2024-01-01T00:00:00Z to 2030-12-31T23:59:59Z');
});

test('identifiers without a name stay as they are', () => {
  assert.is(oidName('1.2.3'), '1.2.3');
  assert.is(oidName('toString'), 'toString');
  assert.is(oidName('2.16.840.1.101.3.4.3.18'), 'id-ml-dsa-65');
});

test.run();
