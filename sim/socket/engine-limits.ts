/**
 * What the SPDM engines can be built with, and how choices of options become one configuration: what was
 * not chosen gets a default, what cannot be computed is refused by name before anybody connects.
 */

import type { Bits } from '../../protocols/codec/field.ts';
import type {
  AeadName,
  CurveName,
  HashName,
  SignatureName,
} from '../../protocols/crypto/algorithms.ts';
import {
  aeadBits,
  baseAsymBits,
  baseHashBits,
  dheBits,
  maskOf,
  measurementHashBits,
} from '../../protocols/spdm/algorithms.ts';
import { versionText } from '../../protocols/spdm/codes.ts';
import type { SupportedAlgorithms } from '../../protocols/spdm/party.ts';
import { EngineRefusal, type SpdmChoices } from './engines.ts';

const asymNames = ['ECDSA_P256', 'ECDSA_P384', 'ECDSA_P521'] as const satisfies SignatureName[];
const hashNames = ['SHA_256', 'SHA_384', 'SHA_512'] as const satisfies HashName[];
const groupNames = ['SECP_256_R1', 'SECP_384_R1', 'SECP_521_R1'] as const satisfies CurveName[];
const aeadNames = ['AES_128_GCM', 'AES_256_GCM', 'CHACHA20_POLY1305'] as const satisfies AeadName[];

/** SPDMVersion bytes spoken. */
const VERSIONS: readonly number[] = [0x10, 0x11, 0x12, 0x13, 0x14];

/** Names of the bits set in `mask`, most significant first. */
export function namesOf(table: Bits, mask: number): string[] {
  return Object.entries(table)
    .sort(([, [a]], [, [b]]) => b - a)
    .filter(([, [lsb]]) => Math.floor(mask / 2 ** lsb) % 2 === 1)
    .map(([name]) => name);
}

/** The bits of a choice that are computed here. @throws EngineRefusal if none of them is */
function computed(option: string, table: Bits, mask: number, names: readonly string[]): number {
  const known = namesOf(table, mask).filter((name) => names.includes(name));
  if (known.length > 0) return maskOf(table, ...known);
  const asked = namesOf(table, mask).join(',') || 'NONE';
  throw new EngineRefusal(`--${option} ${asked}: not computed here; choose of ${names.join(', ')}`);
}

/** What cannot be left out or in yet. @throws EngineRefusal */
function refuseUnbuilt(choices: SpdmChoices): void {
  const { pqcAsym = 0, kem = 0, exeConnection = [], exeSession = [] } = choices;
  const refuse = (what: string, instead: string): never => {
    throw new EngineRefusal(`${what}: not spoken here; ${instead}`);
  };
  if (pqcAsym !== 0) refuse('--pqc_asym', 'choose NONE, and an ECDSA algorithm with --asym');
  if (kem !== 0) refuse('--kem', 'choose NONE, and a SECP group with --dhe');
  if (choices.securedVersions?.includes(0x1100) === false)
    refuse('--sec_ver without 1.1', 'add 1.1');
  if (exeConnection.includes('VER_ONLY')) refuse('--exe_conn VER_ONLY', 'leave it out');
  if (exeSession.includes('PSK')) refuse('--exe_session PSK', 'choose KEY_EX');
}

/** SPDMVersion bytes, ascending. @throws EngineRefusal on one that is not spoken */
export function versionsOf(choices: SpdmChoices): readonly number[] {
  refuseUnbuilt(choices);
  const { versions = VERSIONS } = choices;
  const foreign = versions.filter((version) => !VERSIONS.includes(version));
  if (foreign.length === 0) return versions;
  const spoken = VERSIONS.map(versionText).join(', ');
  throw new EngineRefusal(
    `--ver ${foreign.map(versionText).join(',')}: not spoken here; choose of ${spoken}`,
  );
}

/** Everything that is computed, as far as it was not chosen otherwise. @throws EngineRefusal */
export function algorithmsOf(choices: SpdmChoices): SupportedAlgorithms {
  const all = (table: Bits, names: readonly string[]) => maskOf(table, ...names);
  const { baseAsym, baseHash, dhe, aead, measurementHash } = choices;
  const hashAndRaw = [...hashNames, 'RAW_BIT_STREAM_ONLY'];
  return {
    baseAsym: computed('asym', baseAsymBits, baseAsym ?? all(baseAsymBits, asymNames), asymNames),
    baseHash: computed('hash', baseHashBits, baseHash ?? all(baseHashBits, hashNames), hashNames),
    dhe: computed('dhe', dheBits, dhe ?? all(dheBits, groupNames), groupNames),
    aead: computed('aead', aeadBits, aead ?? all(aeadBits, aeadNames), aeadNames),
    measurementHash: computed(
      'meas_hash',
      measurementHashBits,
      measurementHash ?? all(measurementHashBits, hashNames),
      hashAndRaw,
    ),
  };
}

/** One algorithm of each kind, for a device whose one chain is made with them. */
export interface Suite {
  readonly asym: SignatureName;
  readonly hash: HashName;
  readonly dhe: CurveName;
  readonly aead: AeadName;
  readonly measurementHash: HashName;
}
const SUITE_DEFAULT: Suite = {
  asym: 'ECDSA_P384',
  hash: 'SHA_384',
  dhe: 'SECP_384_R1',
  aead: 'AES_256_GCM',
  measurementHash: 'SHA_384',
};

/** The strongest of each kind that was chosen. @throws EngineRefusal */
export function suiteOfChoices(choices: SpdmChoices): Suite {
  const algorithms = algorithmsOf(choices);
  const first = <T>(table: Bits, chosen: number | undefined, mask: number, otherwise: T): T =>
    chosen === undefined ? otherwise : (namesOf(table, mask)[0] as T);
  const { asym, hash, dhe, aead, measurementHash } = SUITE_DEFAULT;
  return {
    asym: first(baseAsymBits, choices.baseAsym, algorithms.baseAsym, asym),
    hash: first(baseHashBits, choices.baseHash, algorithms.baseHash, hash),
    dhe: first(dheBits, choices.dhe, algorithms.dhe, dhe),
    aead: first(aeadBits, choices.aead, algorithms.aead, aead),
    measurementHash: first(
      measurementHashBits,
      choices.measurementHash,
      algorithms.measurementHash,
      measurementHash,
    ),
  };
}

export function masksOf(suite: Suite): SupportedAlgorithms {
  return {
    baseAsym: maskOf(baseAsymBits, suite.asym as keyof typeof baseAsymBits),
    baseHash: maskOf(baseHashBits, suite.hash),
    dhe: maskOf(dheBits, suite.dhe),
    aead: maskOf(aeadBits, suite.aead),
    measurementHash: maskOf(measurementHashBits, suite.measurementHash),
  };
}
