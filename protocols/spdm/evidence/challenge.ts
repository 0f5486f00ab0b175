/**
 * What CHALLENGE_AUTH says besides its signature (DSP0274 10.7, 10.8): which chain it speaks for, and a
 * hash over measurements that were not sent.
 */

import { equal, toHex } from '../../codec/bytes.ts';
import type { HashName } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { type MeasurementBlockValue, SummaryTypes, summaryOfBlocks } from '../measurements.ts';
import {
  type EvidenceCheck,
  EvidenceFaults,
  type EvidenceNote,
  note,
  passed,
  refused,
} from './check.ts';
import type { ChallengePair } from './parts.ts';
import { type EvidenceSigner, signerHash } from './signer.ts';

/** CertChainHash against the chain, or the bare key, that was given. */
export function checkChainHash(
  crypto: CryptoProvider,
  signer: EvidenceSigner,
  hash: HashName,
  { response }: ChallengePair,
): EvidenceCheck {
  const own = signerHash(crypto, signer, hash, response.SPDMVersion);
  const { CertChainHash } = response;
  return equal(own, CertChainHash)
    ? passed('certificate chain hash', toHex(CertChainHash))
    : refused(
        'certificate chain hash',
        EvidenceFaults.CERT_CHAIN_HASH,
        `${toHex(CertChainHash)}, the chain given has ${toHex(own)}`,
      );
}

/** Measurements as the summary is held to them. */
export interface SummarySource {
  readonly blocks: readonly MeasurementBlockValue[];
  /** every block was asked for */
  readonly complete: boolean;
  /** digests were replaced by raw values, which the summary may not be over */
  readonly raw: boolean;
  /** indices of the TCB's blocks, if the policy says so */
  readonly tcb: readonly number[] | undefined;
}

/** Why the summary cannot be compared; undefined: it can. */
function summaryGap(type: number, source: SummarySource): string | undefined {
  const { blocks, complete, raw, tcb } = source;
  if (blocks.length === 0) return 'no measurements are given';
  if (raw) return 'the measurements are raw bit streams';
  if (type !== SummaryTypes.TCB) return complete ? undefined : 'not all measurements are given';
  if (tcb === undefined) return 'the policy does not say which blocks are the TCB';
  const isThere = (index: number) => blocks.some(({ Index }) => Index === index);
  return tcb.every(isThere) ? undefined : 'not all measurements of the TCB are given';
}

/** MeasurementSummaryHash against measurements. Neither check nor note: none was asked for. */
export function checkSummary(
  crypto: CryptoProvider,
  hash: HashName,
  { request, response }: ChallengePair,
  source: SummarySource,
): EvidenceCheck | EvidenceNote | undefined {
  const summary = response.MeasurementSummaryHash;
  if (summary === undefined) return undefined;
  const type = request.Param2;
  const gap = summaryGap(type, source);
  if (gap !== undefined) return note('SUMMARY_UNCOMPARED', `${gap}; it is ${toHex(summary)}`);
  const { blocks, tcb = [] } = source;
  const isTcb = type === SummaryTypes.TCB;
  const chosen = isTcb ? blocks.filter(({ Index }) => tcb.includes(Index)) : blocks;
  const own = summaryOfBlocks(crypto, hash, chosen);
  const of = `${chosen.length} ${isTcb ? 'TCB ' : ''}measurements`;
  return equal(own, summary)
    ? passed('summary', `of ${of}`)
    : refused('summary', EvidenceFaults.SUMMARY, `${toHex(summary)}, ${of} have ${toHex(own)}`);
}
