/**
 * What the SPDM engines may offer: everything the crypto provider computes, as far as the options left it
 * open. What was chosen and cannot be computed is refused by name before anybody connects.
 */

import type { Bits } from '../../protocols/codec/field.ts';
import type { AlgorithmName } from '../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import {
  aeadBits,
  baseAsymBits,
  baseHashBits,
  dheBits,
  kemBits,
  maskOf,
  measurementHashBits,
  otherParamsBits,
  pqcAsymBits,
} from '../../protocols/spdm/algorithms.ts';
import { SpdmVersions } from '../../protocols/spdm/codes.ts';
import type { SupportedAlgorithms } from '../../protocols/spdm/party.ts';
import { type Capabilities, EngineRefusal, type SpdmChoices } from './engines.ts';

/** SPDMVersion bytes spoken, ascending. */
export const spokenVersions: readonly number[] = Object.values(SpdmVersions);
/** Secured message versions (DSP0277) spoken, as VERSION entries. */
export const spokenSecuredVersions: readonly number[] = [0x1000, 0x1100, 0x1200];

/** What a requester can do unless told otherwise: as spdm_requester_emu has it. */
export const requesterCapabilities: Capabilities = {
  CERT_CAP: 1,
  CHAL_CAP: 1,
  ENCRYPT_CAP: 1,
  MAC_CAP: 1,
  MUT_AUTH_CAP: 1,
  KEY_EX_CAP: 1,
  PSK_CAP: 1,
  ENCAP_CAP: 1,
  HBEAT_CAP: 1,
  KEY_UPD_CAP: 1,
  HANDSHAKE_IN_THE_CLEAR_CAP: 1,
  CHUNK_CAP: 1,
  MULTI_KEY_CAP: 2,
  EP_INFO_CAP: 2,
  LARGE_RESP_CAP: 1,
};

/** Names of the bits set in `mask`, most significant first. */
export function namesOf(table: Bits, mask: number): string[] {
  return Object.entries(table)
    .sort(([, [a]], [, [b]]) => b - a)
    .filter(([, [lsb]]) => Math.floor(mask / 2 ** lsb) % 2 === 1)
    .map(([name]) => name);
}

/** One kind of algorithm: its option, its bits, and what it offers unless told otherwise. */
interface Kind {
  readonly option: string;
  readonly table: Bits;
  readonly chosen: number | undefined;
  /** `NONE` may be chosen: another kind stands in */
  readonly optional?: boolean;
  /** names that take no computing */
  readonly free?: readonly string[];
  /** what is meant unless told otherwise; default everything computed */
  readonly usual?: string;
}

/** @throws EngineRefusal if something was chosen and none of it is computed */
function maskFor(crypto: CryptoProvider, kind: Kind): number {
  const { option, table, chosen, optional = false, free = [], usual } = kind;
  const computes = (name: string) => free.includes(name) || crypto.supports(name as AlgorithmName);
  const computed = Object.keys(table).filter(computes);
  if (chosen === undefined && usual !== undefined && computed.includes(usual))
    return maskOf(table, usual);
  if (chosen === undefined)
    return maskOf(table, ...computed.filter((name) => !free.includes(name)));
  const known = namesOf(table, chosen).filter(computes);
  if (known.length > 0 || (optional && chosen === 0)) return maskOf(table, ...known);
  const asked = namesOf(table, chosen).join(',') || 'NONE';
  throw new EngineRefusal(
    `--${option} ${asked}: not computed here; choose of ${computed.join(', ')}`,
  );
}

/** Everything the provider computes, as far as it was not chosen otherwise. @throws EngineRefusal */
export function supportedAlgorithms(
  crypto: CryptoProvider,
  choices: SpdmChoices,
): SupportedAlgorithms {
  const mask = (option: string, table: Bits, chosen: number | undefined, more = {}) =>
    maskFor(crypto, { option, table, chosen, ...more });
  const optional = { optional: true };
  const { otherParams, melSpecification = 1, pqcFirst } = choices;
  const formats = 2 ** otherParamsBits.OpaqueDataFmt0[0] + 2 ** otherParamsBits.OpaqueDataFmt1[0];
  const multiKey = 2 ** otherParamsBits.MULTI_KEY_CONN[0];
  return {
    baseHash: mask('hash', baseHashBits, choices.baseHash),
    measurementHash: mask('meas_hash', measurementHashBits, choices.measurementHash, {
      free: ['RAW_BIT_STREAM_ONLY'],
      // Requesters take what a responder has: the one that most of them know.
      usual: 'SHA_384',
    }),
    aead: mask('aead', aeadBits, choices.aead),
    baseAsym: mask('asym', baseAsymBits, choices.baseAsym, optional),
    pqcAsym: mask('pqc_asym', pqcAsymBits, choices.pqcAsym, optional),
    reqAsym: mask('req_asym', baseAsymBits, choices.reqBaseAsym, optional),
    reqPqcAsym: mask('req_pqc_asym', pqcAsymBits, choices.reqPqcAsym, optional),
    dhe: mask('dhe', dheBits, choices.dhe, optional),
    kem: mask('kem', kemBits, choices.kem, optional),
    melSpecification,
    ...(otherParams === undefined
      ? {}
      : { opaqueFormats: otherParams & formats, multiKey: (otherParams & multiKey) !== 0 }),
    ...(pqcFirst === undefined ? {} : { pqcFirst }),
  };
}

/** SPDMVersion bytes, ascending. @throws EngineRefusal on one that is not spoken */
export const versionsChosen = ({ versions = spokenVersions }: SpdmChoices): readonly number[] =>
  versions;
