/**
 * Evidence files: the messages themselves, as they are, in hexadecimal or base64, or JSON in one of several
 * shapes, told apart by what stands in it and checked by a schema.
 *
 * - `tdisp-sim/evidence@1`, ours: exchanges or whole messages in hexadecimal, VCA from SPDM 1.2 on;
 * - a record: `evidence` in hexadecimal, request and response one after the other, with its PEM chain;
 * - the lists NVIDIA's attestation tools write: `evidence` and `certificate` in base64, a nonce each;
 * - the request to NVIDIA's remote attestation: one nonce and an `evidence_list` of the same.
 */

import { z } from 'zod';
import { concat, fromHex } from '../../protocols/codec/bytes.ts';
import {
  type HashName,
  hashSizes,
  type SignatureName,
  signatureAlgorithms,
} from '../../protocols/crypto/algorithms.ts';
import type { Evidence } from '../../protocols/spdm/evidence/evidence.ts';
import { plainBytes } from './evidence-bytes.ts';
import { type ChainPart, chainOfPem } from './evidence-chain.ts';
import { type Io, readText, UsageError } from './io.ts';

export interface NamedEvidence {
  /** the file, with an index where it holds several */
  readonly name: string;
  readonly evidence: Evidence;
}

export const signatureNames = Object.keys(signatureAlgorithms) as SignatureName[];
export const hashNames = Object.keys(hashSizes) as HashName[];

const NONCE_BYTES = 32;

/** One spelling for one value: lower or upper case, not both. */
const hex = z
  .string()
  .regex(/^(?:(?:[0-9a-f]{2})+|(?:[0-9A-F]{2})+)$/, 'expected hexadecimal bytes in one case')
  .transform(fromHex);
const nonce = hex.refine((bytes) => bytes.length === NONCE_BYTES, 'expected 32 bytes');

const base64 = z
  .string()
  .refine(
    (text) => text !== '' && Buffer.from(text, 'base64').toString('base64') === text,
    'expected canonical base64',
  )
  .transform((text) => new Uint8Array(Buffer.from(text, 'base64')));

const text = z.string().optional();

const ours = z
  .strictObject({
    schema: z.literal('tdisp-sim/evidence@1'),
    what: text,
    source: text,
    nonce: z.union([nonce, z.array(nonce).min(1)]).optional(),
    vca: hex.optional(),
    exchanges: z
      .array(z.strictObject({ request: hex, response: hex }))
      .min(1)
      .optional(),
    messages: hex.optional(),
    certificateChain: z
      .union([
        z.strictObject({ pem: z.string() }),
        z.strictObject({ spdm: hex }),
        z.strictObject({ der: z.array(hex).min(1) }),
      ])
      .optional(),
    publicKey: hex.optional(),
    role: z.enum(['responder', 'requester']).optional(),
    algorithm: z.enum(signatureNames).optional(),
    hash: z.enum(hashNames).optional(),
  })
  .refine(
    ({ exchanges, messages }) => (exchanges === undefined) !== (messages === undefined),
    'expected either exchanges or messages',
  );

const record = z.strictObject({
  what: text,
  source: text,
  nonce,
  vca: hex.optional(),
  evidence: hex,
  certificateChainPem: z.string(),
});

const listed = z.looseObject({ evidence: base64, certificate: base64 });
const list = z.array(listed.extend({ nonce })).min(1);
const remote = z.looseObject({ nonce, evidence_list: z.array(listed).min(1) });

type OurChain = NonNullable<z.infer<typeof ours>['certificateChain']>;

function chainOfOurs(chain: OurChain): ChainPart {
  if ('pem' in chain) return chainOfPem(chain.pem);
  return 'der' in chain ? { certificates: chain.der } : { chain: chain.spdm };
}

function ofOurs(value: z.infer<typeof ours>): Evidence {
  const { schema: _, what: _what, source: _source, ...rest } = value;
  const { exchanges = [], messages, certificateChain: chain, ...said } = rest;
  const parts = exchanges.flatMap(({ request, response }) => [request, response]);
  return {
    ...(said as Omit<Evidence, 'messages'>),
    messages: messages ?? concat(...parts),
    ...(chain === undefined ? {} : chainOfOurs(chain)),
  };
}

function ofRecord({ evidence, vca, ...value }: z.infer<typeof record>): Evidence {
  const chain = chainOfPem(value.certificateChainPem);
  return {
    messages: evidence,
    nonce: value.nonce,
    ...chain,
    ...(vca === undefined ? {} : { vca }),
  };
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

function ofListed(item: z.infer<typeof listed>, expected: Uint8Array): Evidence {
  const chain = chainOfPem(latin1(item.certificate));
  return { messages: item.evidence, nonce: expected, ...chain };
}

/** Each shape: how it is recognised, and what it reads as. */
function shapeOf(json: unknown): z.ZodType<Evidence[]> | undefined {
  if (Array.isArray(json))
    return list.transform((items) => items.map((item) => ofListed(item, item.nonce)));
  if (typeof json !== 'object' || json === null) return undefined;
  if ('schema' in json) return ours.transform((value) => [ofOurs(value)]);
  if ('evidence_list' in json)
    return remote.transform(({ nonce: expected, evidence_list }) =>
      evidence_list.map((item) => ofListed(item, expected)),
    );
  if ('evidence' in json) return record.transform((value) => [ofRecord(value)]);
  return undefined;
}

function parseJson(file: string, content: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: not JSON: ${(error as Error).message}`);
  }
}

const EXPECTED =
  "expected SPDM messages, a capture, or JSON with 'evidence' and 'certificateChainPem', " +
  "a list of such, or schema 'tdisp-sim/evidence@1'";
const nothingIn = (file: string): UsageError =>
  new UsageError(`cannot read ${file}: no evidence in it; ${EXPECTED}`);

function readJson(file: string, content: string): NamedEvidence[] {
  const json = parseJson(file, content);
  const shape = shapeOf(json);
  if (shape === undefined) throw nothingIn(file);
  const parsed = shape.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue?.path.join('.') ?? '';
    const where = path === '' ? file : `${file}: ${path}`;
    throw new UsageError(`cannot read ${where}: ${issue?.message}`);
  }
  return parsed.data.map((evidence, i) => ({
    name: parsed.data.length === 1 ? file : `${file}[${i}]`,
    evidence,
  }));
}

const VERSION_MIN = 0x10;
const VERSION_MAX = 0x1f;

/** Messages alone: whose they are, and what they answer, is said elsewhere. */
function readMessages(file: string, content: Uint8Array): NamedEvidence[] {
  const messages = plainBytes(content);
  const [version = 0] = messages;
  if (messages.length < 4 || version < VERSION_MIN || version > VERSION_MAX) throw nothingIn(file);
  return [{ name: file, evidence: { messages } }];
}

const JSON_START = /^\s*[[{]/;

/**
 * All evidence in a file that is no capture.
 * @throws UsageError if it cannot be read, or is nothing of what evidence comes as
 */
export function readEvidenceFile(io: Io, file: string): NamedEvidence[] {
  const content = io.readFile(file);
  const start = new TextDecoder('latin1').decode(content.subarray(0, 256));
  return JSON_START.test(start) ? readJson(file, readText(io, file)) : readMessages(file, content);
}
