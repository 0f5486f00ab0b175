/** The option table: every value of the emulators read, every wrong one refused with what is legal. */

import { Command } from 'commander';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UsageError } from '../../../sim/cli/io.ts';
import {
  addSpdmOptions,
  choicesOf,
  legalValues,
  optionsOf,
} from '../../../sim/cli/spdm-options.ts';
import type { OptionVerb } from '../../../sim/cli/spdm-options-table.ts';

const test = suite('cli spdm-options');

function parse(verb: OptionVerb, ...argv: string[]) {
  const command = addSpdmOptions(new Command(verb).exitOverride(), verb);
  command.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  command.parse(argv, { from: 'user' });
  return choicesOf(command.opts(), verb);
}

const read: readonly [verb: OptionVerb, argv: string, choices: object][] = [
  ['serve', '', {}],
  ['serve', '--trans MCTP', { transport: 'MCTP' }],
  ['serve', '--ver 1.2', { versions: [0x12] }],
  ['serve', '--ver 1.3,1.1,1.3', { versions: [0x11, 0x13] }],
  ['attach', '--sec_ver 1.2,1.0', { securedVersions: [0x1000, 0x1200] }],
  ['serve', '--hash SHA_384,SHA_256', { baseHash: 3 }],
  ['serve', '--meas_hash RAW_BIT,SHA_512', { measurementHash: 9 }],
  ['serve', '--asym NONE', { baseAsym: 0 }],
  ['serve', '--asym EDDSA_448,RSASSA_2048', { baseAsym: 0x801 }],
  ['attach', '--req_asym RSAPSS_3072', { reqBaseAsym: 8 }],
  ['serve', '--pqc_asym SLH_DSA_SHAKE_256F,ML_DSA_44', { pqcAsym: 0x4001 }],
  ['serve', '--dhe SECP_384_R1', { dhe: 0x10 }],
  ['serve', '--kem ML_KEM_1024', { kem: 4 }],
  ['serve', '--aead CHACHA20_POLY1305', { aead: 4 }],
  ['serve', '--key_schedule HMAC_HASH', { keySchedule: 1 }],
  ['serve', '--other_param OPAQUE_FMT_1,MULTI_KEY_CONN', { otherParams: 0x12 }],
  [
    'serve',
    '--meas_spec DMTF --mel_spec DMTF',
    { measurementSpecification: 1, melSpecification: 1 },
  ],
  [
    'serve',
    '--cap MEAS_SIG,PSK_WITH_CONTEXT,MULTI_KEY_NEG',
    { capabilities: { MEAS_CAP: 2, PSK_CAP: 2, MULTI_KEY_CAP: 2 } },
  ],
  [
    'attach',
    '--cap PSK,HANDSHAKE_IN_CLEAR',
    { capabilities: { PSK_CAP: 1, HANDSHAKE_IN_THE_CLEAR_CAP: 1 } },
  ],
  ['attach', '--peer_cap MEAS_NO_SIG', { peerCapabilities: { MEAS_CAP: 1 } }],
  ['serve', '--pqc_first TRUE', { pqcFirst: true }],
  ['serve', '--mut_auth W_ENCAP --basic_mut_auth BASIC', { mutAuth: 2, basicMutAuth: 1 }],
  [
    'attach',
    '--meas_sum TCB --meas_op ONE_BY_ONE --meas_att RAW',
    {
      measurementSummary: 1,
      measurementOperation: 'ONE_BY_ONE',
      measurementAttribute: 'RAW',
    },
  ],
  ['attach', '--meas-sum ALL', { measurementSummary: 0xff }],
  ['attach', '--slot_id 0xFF --key_upd RSP', { slotId: 0xff, keyUpdate: 'RSP' }],
  ['serve', '--slot_count 8 --req_slot_id 7', { slotCount: 8, reqSlotId: 7 }],
  ['attach', '--exe_conn CERT,DIGEST', { exeConnection: ['CERT', 'DIGEST'] }],
  [
    'attach',
    '--exe-session KEY_EX,APP --exe_mode CONTINUE',
    {
      exeSession: ['KEY_EX', 'APP'],
      exeMode: 'CONTINUE',
    },
  ],
  [
    'serve',
    '--data_transfer_size 0x1200 --ct_exponent 20',
    { dataTransferSize: 0x1200, ctExponent: 20 },
  ],
  ['serve', '--max-spdm-msg-size 65536', { maxSpdmMsgSize: 65536 }],
];
for (const [verb, argv, choices] of read)
  test(`${verb} ${argv}`, () =>
    assert.equal(parse(verb, ...argv.split(' ').filter((word) => word !== '')), choices));

const refused: readonly [verb: OptionVerb, argv: string, says: RegExp][] = [
  ['serve', '--hash SHA_999', /--hash: 'SHA_999' .*SHA_256, SHA_384.*comma-separated/],
  ['serve', '--hash sha_256', /--hash: 'sha_256'/],
  ['serve', '--hash SHA_256,', /--hash: ''/],
  ['serve', '--hash SM3_256', /--hash SM3_256: the SM algorithms/],
  ['serve', '--meas-hash SM3_256', /--meas_hash SM3_256: the SM algorithms/],
  ['serve', '--asym SM2_P256', /--asym SM2_P256: the SM algorithms/],
  ['attach', '--req_asym SM2_P256', /the SM algorithms/],
  ['serve', '--dhe SM2_P256', /the SM algorithms/],
  ['serve', '--aead SM4_128_GCM', /--aead SM4_128_GCM: the SM algorithms/],
  ['serve', '--trans TCP', /--trans TCP: .*PCI_DOE, MCTP or NONE/],
  [
    'serve',
    '--trans PCI_DOE,MCTP',
    /--trans: 'PCI_DOE,MCTP' is none of its values: PCI_DOE, MCTP, NONE$/,
  ],
  ['serve', '--ver 2.0', /--ver: '2\.0' .*1\.0, 1\.1/],
  ['attach', '--cap MEAS_SIG', /--cap: 'MEAS_SIG' is none of its values: CERT/],
  ['serve', '--cap MEAS_SIG,MEAS_NO_SIG', /MEAS_SIG and MEAS_NO_SIG exclude each other/],
  ['serve', '--data_transfer_size 41', /--data_transfer_size: '41' .*42\.\.1048576/],
  ['serve', '--data_transfer_size 1e3', /'1e3'/],
  ['serve', '--ct_exponent -1', /--ct_exponent: '-1'/],
  ['attach', '--slot_id 8', /--slot_id: '8' .*0xFF/],
  ['attach', '--meas_sum ALL --meas-sum TCB', /--meas_sum: given twice/],
  ['attach', '--save_state x', /--save_state: .*CONTINUE/],
  ['attach', '--load-state x', /--load_state: /],
  ['serve', '--priv_key_mode PEM', /--priv_key_mode: .*--seed/],
];
for (const [verb, argv, says] of refused)
  test(`${verb} ${argv} is refused by name`, () =>
    assert.throws(
      () => parse(verb, ...argv.split(' ')),
      (error: unknown) => error instanceof UsageError && says.test(error.message),
    ));

test('what concerns the other role alone is checked, and has no effect', () => {
  assert.equal(parse('serve', '--meas_sum', 'ALL', '--slot-id', '0xFF'), {});
  assert.equal(parse('attach', '--mut_auth', 'NO', '--pqc_first', 'TRUE'), {});
  assert.throws(() => parse('serve', '--meas_op', 'SOME'), /--meas_op: 'SOME' is none of/);
  assert.throws(() => parse('attach', '--mut_auth', 'SOME'), /--mut_auth: 'SOME' is none of/);
  assert.throws(() => parse('serve', '--nosuch', '1'), /unknown option '--nosuch'/);
});

test('every legal value parses, and names and keys are unique', () => {
  for (const verb of ['serve', 'attach'] as const) {
    const rows = optionsOf(verb);
    assert.is(new Set(rows.map(({ name }) => name)).size, rows.length);
    assert.is(new Set(rows.map(({ key }) => key)).size, rows.length);
    for (const row of rows) {
      const values = row.value.kind === 'number' ? [String(row.value.min)] : legalValues(row, verb);
      for (const value of values)
        assert.ok(row.key in parse(verb, `--${row.name}`, value), `--${row.name} ${value}`);
    }
  }
});

test('help names every option and value once, underscores only', () => {
  for (const verb of ['serve', 'attach'] as const) {
    const help = addSpdmOptions(new Command(verb), verb).helpInformation().replace(/\s+/g, ' ');
    for (const row of optionsOf(verb)) {
      assert.is(help.split(` --${row.name} <`).length, 2, row.name);
      for (const value of legalValues(row, verb)) assert.ok(help.includes(value), value);
    }
    assert.not.match(help, /meas-hash|save_state|SM3_256/);
  }
});

test.run();
