/**
 * The option vocabulary of `serve` and `attach` as a table: names and values spelled exactly as the DMTF
 * emulators spell them, and what each value means in bits. Parsing, help and complaints come out of it.
 */

import type { Bits } from '../../protocols/codec/field.ts';
import {
  aeadBits,
  baseAsymBits,
  baseHashBits,
  dheBits,
  kemBits,
  measurementHashBits,
  otherParamsBits,
  pqcAsymBits,
} from '../../protocols/spdm/algorithms.ts';
import type { CapabilityName } from '../../protocols/spdm/codes.ts';
import type { SpdmChoices } from '../socket/engines.ts';

export type OptionVerb = 'serve' | 'attach';
type Values<T> = Readonly<Record<string, T>>;
/** Legal for the emulators, and not for us: why, and what else. */
type Refused = Readonly<Record<string, string>>;

export type ValueKind =
  /** one of the values */
  | { readonly kind: 'one'; readonly values: Values<unknown>; readonly refused?: Refused }
  /** comma-separated; bits ORed together */
  | { readonly kind: 'mask'; readonly values: Values<number>; readonly refused?: Refused }
  /** comma-separated; values in ascending order, each once */
  | { readonly kind: 'list'; readonly values: Values<number | string> }
  /** comma-separated capability fields with their values, by verb */
  | {
      readonly kind: 'capabilities';
      readonly values: Readonly<Record<OptionVerb, Values<CapabilityField>>>;
    }
  | { readonly kind: 'number'; readonly min: number; readonly max: number };
type CapabilityField = readonly [name: CapabilityName, value: number];

export interface OptionRow {
  /** without dashes, underscores as the emulators have them */
  readonly name: string;
  readonly key: keyof SpdmChoices;
  readonly on: OptionVerb | 'both';
  readonly value: ValueKind;
  readonly help: string;
}

const SM = 'the SM algorithms are not computed here; choose one of the others';

/** Values of a bit table under the emulators' names; SMx and what `rename` drops are left out. */
function bitsOf(table: Bits, rename: Readonly<Record<string, string>> = {}): Values<number> {
  const rows = Object.entries(table).filter(([name]) => !/^(SM\d|AEAD_SM4)/.test(name));
  return Object.fromEntries(rows.map(([name, [lsb]]) => [rename[name] ?? name, 2 ** lsb]));
}
const NONE: Values<number> = { NONE: 0 };
const asym = { ...NONE, ...bitsOf(baseAsymBits) };
const pqcAsym = { ...NONE, ...bitsOf(pqcAsymBits) };
const sm = (name: string): Refused => ({ [name]: SM });

/** Capability fields that both roles have. */
const commonCapabilities: Values<CapabilityField> = {
  CERT: ['CERT_CAP', 1],
  CHAL: ['CHAL_CAP', 1],
  ENCRYPT: ['ENCRYPT_CAP', 1],
  MAC: ['MAC_CAP', 1],
  MUT_AUTH: ['MUT_AUTH_CAP', 1],
  KEY_EX: ['KEY_EX_CAP', 1],
  PSK: ['PSK_CAP', 1],
  ENCAP: ['ENCAP_CAP', 1],
  HBEAT: ['HBEAT_CAP', 1],
  KEY_UPD: ['KEY_UPD_CAP', 1],
  HANDSHAKE_IN_CLEAR: ['HANDSHAKE_IN_THE_CLEAR_CAP', 1],
  PUB_KEY_ID: ['PUB_KEY_ID_CAP', 1],
  CHUNK: ['CHUNK_CAP', 1],
  EP_INFO_NO_SIG: ['EP_INFO_CAP', 1],
  EP_INFO_SIG: ['EP_INFO_CAP', 2],
  EVENT: ['EVENT_CAP', 1],
  MULTI_KEY_ONLY: ['MULTI_KEY_CAP', 1],
  MULTI_KEY_NEG: ['MULTI_KEY_CAP', 2],
  LARGE_RESP: ['LARGE_RESP_CAP', 1],
};
const responderCapabilities: Values<CapabilityField> = {
  CACHE: ['CACHE_CAP', 1],
  MEAS_NO_SIG: ['MEAS_CAP', 1],
  MEAS_SIG: ['MEAS_CAP', 2],
  MEAS_FRESH: ['MEAS_FRESH_CAP', 1],
  PSK_WITH_CONTEXT: ['PSK_CAP', 2],
  ALIAS_CERT: ['ALIAS_CERT_CAP', 1],
  SET_CERT: ['SET_CERT_CAP', 1],
  CSR: ['CSR_CAP', 1],
  CERT_INSTALL_RESET: ['CERT_INSTALL_RESET_CAP', 1],
  MEL: ['MEL_CAP', 1],
  GET_KEY_PAIR_INFO: ['GET_KEY_PAIR_INFO_CAP', 1],
  SET_KEY_PAIR_INFO: ['SET_KEY_PAIR_INFO_CAP', 1],
  SET_KEY_PAIR_RESET: ['SET_KEY_PAIR_RESET_CAP', 1],
};
const ofResponder = { ...commonCapabilities, ...responderCapabilities };

const same = (...names: string[]): Values<string> =>
  Object.fromEntries(names.map((name) => [name, name]));
const slots: Values<number> = {
  ...Object.fromEntries([...Array(8).keys()].map((slot) => [String(slot), slot])),
  '0xFF': 0xff,
};
const counts = Object.fromEntries([...Array(8).keys()].map((i) => [String(i + 1), i + 1]));

const MEASUREMENT_OPERATIONS = same('ONE_BY_ONE', 'ALL');
const EXE_CONNECTION = same(
  ...['VER_ONLY', 'VCA', 'DIGEST', 'CERT', 'CHAL', 'MEAS', 'MEL', 'GET_CSR', 'SET_CERT'],
  ...['GET_KEY_PAIR_INFO', 'SET_KEY_PAIR_INFO', 'EP_INFO'],
);
const EXE_SESSION = same(
  ...['KEY_EX', 'PSK', 'NO_END', 'KEY_UPDATE', 'HEARTBEAT', 'MEAS', 'MEL', 'DIGEST', 'CERT'],
  ...['GET_CSR', 'SET_CERT', 'GET_KEY_PAIR_INFO', 'SET_KEY_PAIR_INFO', 'EP_INFO', 'APP'],
);

const row = (
  name: string,
  key: keyof SpdmChoices,
  on: OptionRow['on'],
  value: ValueKind,
  help: string,
): OptionRow => ({ name, key, on, value, help });
const one = (values: Values<unknown>, refused: Refused = {}): ValueKind => ({
  kind: 'one',
  values,
  refused,
});
const mask = (values: Values<number>, refused: Refused = {}): ValueKind => ({
  kind: 'mask',
  values,
  refused,
});
const number = (min: number, max: number): ValueKind => ({ kind: 'number', min, max });

const MESSAGE_BYTES_MAX = 0x100000;
const DATA_TRANSFER_SIZE_MIN = 42;

export const spdmOptions: readonly OptionRow[] = [
  row(
    'trans',
    'transport',
    'both',
    one(same('PCI_DOE', 'MCTP', 'NONE'), {
      TCP: 'SPDM over TCP (DSP0287) is not spoken here; choose PCI_DOE, MCTP or NONE',
    }),
    'transport of the messages inside the socket frames; default PCI_DOE',
  ),
  row(
    'ver',
    'versions',
    'both',
    { kind: 'list', values: { '1.0': 0x10, '1.1': 0x11, '1.2': 0x12, '1.3': 0x13, '1.4': 0x14 } },
    'SPDM versions',
  ),
  row(
    'sec_ver',
    'securedVersions',
    'both',
    { kind: 'list', values: { '1.0': 0x1000, '1.1': 0x1100, '1.2': 0x1200, '1.3': 0x1300 } },
    'secured message versions (DSP0277); default up to 1.2',
  ),
  row(
    'cap',
    'capabilities',
    'both',
    { kind: 'capabilities', values: { serve: ofResponder, attach: commonCapabilities } },
    'capabilities, in place of the default ones',
  ),
  row(
    'peer_cap',
    'peerCapabilities',
    'both',
    { kind: 'capabilities', values: { serve: commonCapabilities, attach: ofResponder } },
    "the peer's capabilities, where VER_ONLY leaves GET_CAPABILITIES out",
  ),
  row('hash', 'baseHash', 'both', mask(bitsOf(baseHashBits), sm('SM3_256')), 'BaseHashAlgo'),
  row(
    'meas_spec',
    'measurementSpecification',
    'both',
    mask({ DMTF: 1 }),
    'MeasurementSpecification',
  ),
  row(
    'meas_hash',
    'measurementHash',
    'both',
    mask(bitsOf(measurementHashBits, { RAW_BIT_STREAM_ONLY: 'RAW_BIT' }), sm('SM3_256')),
    'MeasurementHashAlgo',
  ),
  row('mel_spec', 'melSpecification', 'both', mask({ DMTF: 1 }), 'MELspecification'),
  row('asym', 'baseAsym', 'both', mask(asym, sm('SM2_P256')), 'BaseAsymAlgo'),
  row('req_asym', 'reqBaseAsym', 'both', mask(asym, sm('SM2_P256')), 'ReqBaseAsymAlg'),
  row('pqc_asym', 'pqcAsym', 'both', mask(pqcAsym), 'PqcAsymAlgo'),
  row('req_pqc_asym', 'reqPqcAsym', 'both', mask(pqcAsym), 'ReqPqcAsymAlg'),
  row('dhe', 'dhe', 'both', mask({ ...NONE, ...bitsOf(dheBits) }, sm('SM2_P256')), 'DHE groups'),
  row('kem', 'kem', 'both', mask({ ...NONE, ...bitsOf(kemBits) }), 'KEMAlg'),
  row('aead', 'aead', 'both', mask(bitsOf(aeadBits), sm('SM4_128_GCM')), 'AEAD cipher suites'),
  row('key_schedule', 'keySchedule', 'both', mask({ HMAC_HASH: 1 }), 'key schedule'),
  row(
    'other_param',
    'otherParams',
    'both',
    mask({
      OPAQUE_FMT_1: 2 ** otherParamsBits.OpaqueDataFmt1[0],
      MULTI_KEY_CONN: 2 ** otherParamsBits.MULTI_KEY_CONN[0],
    }),
    'OtherParamsSupport',
  ),
  row(
    'pqc_first',
    'pqcFirst',
    'serve',
    one({ FALSE: false, TRUE: true }),
    'choose post-quantum algorithms where both sides have both kinds; default FALSE',
  ),
  row(
    'basic_mut_auth',
    'basicMutAuth',
    'serve',
    one({ NO: 0, BASIC: 1 }),
    'mutual authentication asked for in CHALLENGE_AUTH',
  ),
  row(
    'mut_auth',
    'mutAuth',
    'serve',
    one({ NO: 0, WO_ENCAP: 1, W_ENCAP: 2, DIGESTS: 4 }),
    'mutual authentication asked for in KEY_EXCHANGE_RSP',
  ),
  row(
    'meas_sum',
    'measurementSummary',
    'attach',
    one({ NO: 0, TCB: 1, ALL: 0xff }),
    'measurement summary asked for in CHALLENGE, KEY_EXCHANGE and PSK_EXCHANGE; default ALL',
  ),
  row(
    'meas_op',
    'measurementOperation',
    'attach',
    one(MEASUREMENT_OPERATIONS),
    'how GET_MEASUREMENTS asks; default ALL',
  ),
  row(
    'meas_att',
    'measurementAttribute',
    'attach',
    one(same('HASH', 'RAW')),
    'digests, or the raw bit stream where there is one; default HASH',
  ),
  row(
    'key_upd',
    'keyUpdate',
    'attach',
    one(same('REQ', 'ALL', 'RSP')),
    'which keys KEY_UPDATE updates',
  ),
  row('slot_id', 'slotId', 'attach', one(slots), "the responder's certificate slot; default 0"),
  row('req_slot_id', 'reqSlotId', 'serve', one(slots), "the requester's certificate slot"),
  row('slot_count', 'slotCount', 'both', one(counts), 'own certificate slots that are provisioned'),
  row(
    'exe_mode',
    'exeMode',
    'attach',
    one(same('SHUTDOWN', 'CONTINUE')),
    'how to take leave: the responder is to stop, or to keep its state; default SHUTDOWN',
  ),
  row(
    'exe_conn',
    'exeConnection',
    'both',
    { kind: 'list', values: EXE_CONNECTION },
    'what is done outside sessions; VCA alone: negotiate only; VER_ONLY: all else is known beforehand, to both ends',
  ),
  row(
    'exe_session',
    'exeSession',
    'attach',
    { kind: 'list', values: EXE_SESSION },
    'what is done in a session; APP: IDE_KM and TDISP',
  ),
  row(
    'data_transfer_size',
    'dataTransferSize',
    'both',
    number(DATA_TRANSFER_SIZE_MIN, MESSAGE_BYTES_MAX),
    'DataTransferSize, bytes (ours, not of the emulators)',
  ),
  row(
    'max_spdm_msg_size',
    'maxSpdmMsgSize',
    'both',
    number(DATA_TRANSFER_SIZE_MIN, MESSAGE_BYTES_MAX),
    'MaxSPDMmsgSize, bytes (ours)',
  ),
  row('ct_exponent', 'ctExponent', 'both', number(0, 31), 'CTExponent: 2^N us (ours)'),
];

/** The emulators' options that have no meaning here: why, and what else. */
export const refusedOptions: Readonly<Record<string, string>> = {
  tcp_sub: 'SPDM over TCP (DSP0287) is not spoken here; choose --trans PCI_DOE, MCTP or NONE',
  save_state: 'negotiated states are not saved in files here; take leave with --exe_mode CONTINUE',
  load_state: 'negotiated states are not loaded from files here; connect after a CONTINUE',
  priv_key_mode: 'keys come from --seed here and have no file format; leave it out',
};
