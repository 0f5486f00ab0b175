/**
 * One well-formed value or more of every SPDM message in every version that has it: what the table
 * tests, the fuzzer and the engine tests start from. Derived lengths and counts are left out.
 */

import type { Facts, Layout } from '../../../../protocols/codec/field.ts';
import { encode } from '../../../../protocols/codec/layout.ts';
import {
  type KnownCode,
  layouts,
  messageSince,
} from '../../../../protocols/spdm/messages/registry.ts';
import type { Row } from './sample-parts.ts';
import { coreRows } from './sample-rows-core.ts';
import { moreRows } from './sample-rows-more.ts';

export interface Sample {
  /** `CERTIFICATE 1.4, large form` */
  readonly name: string;
  readonly code: KnownCode;
  readonly version: number;
  readonly facts: Facts;
  readonly value: Readonly<Record<string, unknown>>;
  readonly table: Layout;
  readonly bytes: Uint8Array;
}

export const versions = [0x10, 0x11, 0x12, 0x13, 0x14] as const;

/** SHA-256, ECDSA P-256 of the responder, P-384 of the requester, secp256r1. */
export const sampleFacts: Facts = {
  hashSize: 32,
  signatureSize: 64,
  requesterSignatureSize: 96,
  requestExchangeSize: 64,
  responseExchangeSize: 64,
  handshakeInTheClear: 0,
  multiKey: 0,
  summary: 1,
  signed: 1,
};

function sampleOf(row: Row, version: number): Sample {
  const table: Layout = layouts[row.code];
  const facts = { ...sampleFacts, ...row.facts, version };
  const header = { SPDMVersion: version, RequestResponseCode: row.code, Param1: 0, Param2: 0 };
  const value = { ...header, ...row.body(version) };
  const label = row.label === undefined ? '' : `, ${row.label}`;
  const name = `${table.name} 0x${row.code.toString(16)} ${version >> 4}.${version & 15}${label}`;
  return { name, code: row.code, version, facts, value, table, bytes: encode(table, value, facts) };
}

/** Every sample, of one version or of all. */
export const samples: readonly Sample[] = [...coreRows, ...moreRows].flatMap((row) => {
  const first = Math.max(row.from ?? 0x10, messageSince[row.code]);
  return versions
    .filter((version) => version >= first && version <= (row.to ?? 0x14))
    .map((version) => sampleOf(row, version));
});

export const samplesOf = (code: number, version?: number): readonly Sample[] =>
  samples.filter((s) => s.code === code && (version === undefined || s.version === version));
