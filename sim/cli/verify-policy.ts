/** The policy file of `verify`: YAML or JSON, checked by a schema, turned into what the verifier takes. */

import { z } from 'zod';
import { fromHex } from '../../protocols/codec/bytes.ts';
import { MeasurementTypes } from '../../protocols/spdm/codes.ts';
import type {
  EvidencePolicy,
  MeasurementRule,
  RevokedCertificate,
} from '../../protocols/spdm/evidence/policy.ts';
import { type OperationalMode, operationalModeBits } from '../../protocols/spdm/evidence/values.ts';
import { parseCertificates, pemToDer } from '../../protocols/x509/split.ts';
import { generalizedTimeSeconds } from '../../protocols/x509/time.ts';
import { load, problemText } from '../scenario/load.ts';
import { hashNames, signatureNames } from './evidence-file.ts';
import { type Io, readText, UsageError } from './io.ts';

const SHA_256_BYTES = 32;

const hex = z
  .string('expected hexadecimal bytes in quotes')
  .regex(/^(?:[0-9a-fA-F]{2}[: ]?)+$/, 'expected hexadecimal bytes')
  .transform((text) => fromHex(text));
const fingerprint = hex.refine(
  (bytes) => bytes.length === SHA_256_BYTES,
  'expected a SHA-256 fingerprint of 32 bytes',
);
/** one value or several, any of which is good */
const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)]);
const texts = oneOrMore(z.string('expected text; put numbers in quotes'));
const listOf = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

const INDEX_MAX = 255;
const index = z.number().int().min(0).max(INDEX_MAX);
const typeNames = Object.keys(MeasurementTypes);
/** the place a rule is for: an index, or a type of measurement */
const place = z
  .string()
  .regex(
    new RegExp(`^(?:\\d{1,2}|1\\d\\d|2[0-4]\\d|25[0-5]|${typeNames.join('|')})$`),
    `expected an index from 0 to ${INDEX_MAX} or one of ${typeNames.join(', ')}`,
  );

const time = z.string().transform((text, context) => {
  const seconds = generalizedTimeSeconds(text.replace(/[-:T]/g, ''));
  if (seconds !== undefined) return seconds;
  context.addIssue({ code: 'custom', message: 'expected a time as 2026-04-01T00:00:00Z' });
  return z.NEVER;
});

/** A root: its fingerprint, or the certificate itself, which the chain then need not hold. */
const root = z.string().transform((text, context) => {
  const pem = text.includes('-----BEGIN ') ? pemToDer(text) : undefined;
  if (pem?.ok && parseCertificates(pem.value).ok) return { certificates: pem.value };
  const digest = pem === undefined ? fingerprint.safeParse(text) : undefined;
  if (digest?.success) return { digest: digest.data };
  const message =
    pem === undefined
      ? (digest?.error?.issues[0]?.message ?? 'expected a fingerprint')
      : 'expected certificates in PEM';
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

const revoked = z.union([
  hex,
  z.strictObject({ sha256: fingerprint }),
  z.strictObject({ serial: hex, issuer: z.string().optional() }),
]);

const svn = z
  .union([z.number().int().min(0), z.string().regex(/^\d{1,20}$/, 'expected a number')])
  .transform((value) => BigInt(value));

const rule = z.strictObject({
  type: z.enum(typeNames).optional(),
  value: oneOrMore(hex).optional(),
  forbidden: oneOrMore(hex).optional(),
  version: texts.optional(),
  minimumSvn: svn.optional(),
  optional: z.boolean().optional(),
});
const measurements = z.record(place, z.union([oneOrMore(hex), rule]));

const operationalModes = Object.keys(operationalModeBits) as OperationalMode[];
const STRENGTH_MIN = 112;
const STRENGTH_MAX = 256;

export const policySchema = z.strictObject({
  schema: z.literal('tdisp-sim/verify-policy@1'),
  /** SHA-256 fingerprints of trusted roots, or these in PEM */
  roots: z.array(root).min(1).optional(),
  /** when certificates must be valid; default: now */
  at: time.optional(),
  /** serial numbers, fingerprints of 32 bytes, or { serial, issuer } */
  revoked: z.array(revoked).optional(),
  measurements: measurements.optional(),
  /** sets of reference values, one of which must fit */
  manifests: z
    .array(z.strictObject({ name: z.string().min(1), measurements }))
    .min(1)
    .optional(),
  refuseUnlisted: z.boolean().optional(),
  tcb: z.array(index).min(1).optional(),
  debug: z.enum(['off', 'offSinceReset', 'never']).optional(),
  operationalModes: z.array(z.enum(operationalModes)).min(1).optional(),
  opaque: z.record(z.string().min(1), texts).optional(),
  device: z
    .strictObject({
      subject: texts.optional(),
      manufacturer: texts.optional(),
      product: texts.optional(),
      serialNumber: texts.optional(),
      cmaIdentity: texts.optional(),
      leafSha256: oneOrMore(fingerprint).optional(),
      model: z.enum(['device', 'alias', 'generic']).optional(),
      hardwareIdentity: z.boolean().optional(),
    })
    .optional(),
  requireEku: z.boolean().optional(),
  algorithms: z
    .strictObject({
      minimumBits: z.number().int().min(STRENGTH_MIN).max(STRENGTH_MAX).optional(),
      signatures: z.array(z.enum(signatureNames)).min(1).optional(),
      hashes: z.array(z.enum(hashNames)).min(1).optional(),
      postQuantum: z.boolean().optional(),
    })
    .optional(),
  minimumVersion: z.enum(['1.0', '1.1', '1.2', '1.3', '1.4']).optional(),
  requireNonce: z.boolean().optional(),
  require: z.array(z.enum(['measurements', 'challenge'])).optional(),
});
type PolicyFile = z.infer<typeof policySchema>;

/** Without the keys that are not there, which the library's types do not take as undefined. */
function present<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
const maybeList = <T>(value: T | T[] | undefined) => (value === undefined ? value : listOf(value));

function rulesOf(file: z.infer<typeof measurements>): MeasurementRule[] {
  return Object.entries(file).map(([key, what]) => {
    const at = /^\d+$/.test(key)
      ? { index: Number(key) }
      : { type: MeasurementTypes[key as keyof typeof MeasurementTypes] };
    if (what instanceof Uint8Array || Array.isArray(what)) return { ...at, values: listOf(what) };
    const { type, value, forbidden, version, minimumSvn, optional } = what;
    const named = type && MeasurementTypes[type as keyof typeof MeasurementTypes];
    return {
      ...present({
        type: named === '' ? undefined : named,
        values: maybeList(value),
        forbidden: maybeList(forbidden),
        versions: maybeList(version),
        minimumSvn,
        optional,
      }),
      ...at,
    } as MeasurementRule;
  });
}

const revokedOf = (item: z.infer<typeof revoked>): RevokedCertificate => {
  if (!(item instanceof Uint8Array)) return present(item) as RevokedCertificate;
  return item.length === SHA_256_BYTES ? { sha256: item } : { serial: item };
};

function deviceOf(device: PolicyFile['device']) {
  if (device === undefined) return undefined;
  const { model, hardwareIdentity, ...names } = device;
  const lists = Object.entries(names).map(([key, value]) => [key, maybeList<unknown>(value)]);
  return present({ ...Object.fromEntries(lists), model, hardwareIdentity });
}

const versionByte = (text: string): number => Number.parseInt(text.replace('.', ''), 16);

function policyOf(file: PolicyFile): EvidencePolicy {
  const { schema: _, roots = [], revoked: gone, measurements: values, manifests, ...rest } = file;
  const {
    operationalModes: operational,
    opaque,
    device,
    algorithms,
    minimumVersion,
    ...same
  } = rest;
  const digests = roots.flatMap((one) => ('digest' in one ? [one.digest] : []));
  const certificates = roots.flatMap((one) => ('certificates' in one ? one.certificates : []));
  const policy = {
    ...same,
    rootSha256: digests.length === 0 ? undefined : digests,
    rootCertificates: certificates.length === 0 ? undefined : certificates,
    revoked: gone?.map(revokedOf),
    rules: values && rulesOf(values),
    manifests: manifests?.map(({ name, measurements: set }) => ({ name, rules: rulesOf(set) })),
    operational,
    opaque:
      opaque &&
      new Map(Object.entries(opaque).map(([key, value]) => [key, listOf(value)] as const)),
    device: deviceOf(device),
    algorithms: algorithms && present(algorithms),
    minimumVersion: minimumVersion && versionByte(minimumVersion),
  };
  return present(policy) as EvidencePolicy;
}

/** @throws UsageError naming file, line, key and what is allowed there */
export function readPolicy(io: Io, file: string): EvidencePolicy {
  const loaded = load(readText(io, file), file, policySchema);
  if (loaded.ok) return policyOf(loaded.value);
  const [problem] = loaded.problems;
  throw new UsageError(problem === undefined ? `${file}: no policy` : problemText(problem));
}
