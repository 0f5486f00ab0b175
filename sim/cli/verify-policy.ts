/** The policy file of `verify`: YAML or JSON, checked by a schema, turned into what the verifier takes. */

import { z } from 'zod';
import { fromHex } from '../../protocols/codec/bytes.ts';
import type { EvidencePolicy } from '../../protocols/spdm/evidence/policy.ts';
import { generalizedTimeSeconds } from '../../protocols/x509/time.ts';
import { load, problemText } from '../scenario/load.ts';
import { type Io, readText, UsageError } from './io.ts';

const SHA_256_BYTES = 32;

const hex = z
  .string()
  .regex(/^(?:[0-9a-fA-F]{2}[: ]?)+$/, 'expected hexadecimal bytes')
  .transform((text) => fromHex(text));
const fingerprint = hex.refine(
  (bytes) => bytes.length === SHA_256_BYTES,
  'expected a SHA-256 fingerprint of 32 bytes',
);
/** one value or several, any of which is good */
const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)]);
const index = z
  .string()
  .regex(/^(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])$/, 'expected an index from 0 to 255');

const time = z.string().transform((text, context) => {
  const seconds = generalizedTimeSeconds(text.replace(/[-:T]/g, ''));
  if (seconds !== undefined) return seconds;
  context.addIssue({ code: 'custom', message: 'expected a time as 2026-04-01T00:00:00Z' });
  return z.NEVER;
});

export const policySchema = z.strictObject({
  schema: z.literal('tdisp-sim/verify-policy@1'),
  /** SHA-256 fingerprints of trusted roots */
  roots: z.array(fingerprint).min(1).optional(),
  /** when certificates must be valid; default: now */
  at: time.optional(),
  revoked: z.array(hex).optional(),
  measurements: z.record(index, oneOrMore(hex)).optional(),
  opaque: z
    .record(z.string().min(1), oneOrMore(z.string('expected text; put numbers in quotes')))
    .optional(),
});

const listOf = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

function entries<T>(record: Record<string, T | T[]>): [string, T[]][] {
  return Object.entries(record).map(([key, value]) => [key, listOf(value)]);
}

/** @throws UsageError naming file, line, key and what is allowed there */
export function readPolicy(io: Io, file: string): EvidencePolicy {
  const loaded = load(readText(io, file), file, policySchema);
  if (!loaded.ok) {
    const [problem] = loaded.problems;
    throw new UsageError(problem === undefined ? `${file}: no policy` : problemText(problem));
  }
  const { roots, at, revoked, measurements, opaque } = loaded.value;
  return {
    ...(roots === undefined ? {} : { rootSha256: roots }),
    ...(at === undefined ? {} : { at }),
    ...(revoked === undefined ? {} : { revokedSerials: revoked }),
    ...(measurements === undefined
      ? {}
      : {
          measurements: new Map(
            entries(measurements).map(([key, values]) => [Number(key), values]),
          ),
        }),
    ...(opaque === undefined ? {} : { opaque: new Map(entries(opaque)) }),
  };
}
