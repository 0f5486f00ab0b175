/** The verb `verify`: checks SPDM measurements as a relying party, real devices' included. */

import type { Command } from 'commander';
import { toHex } from '../../protocols/codec/bytes.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import { type VerifiedEvidence, verifyEvidence } from '../../protocols/spdm/evidence/evidence.ts';
import type { EvidencePolicy } from '../../protocols/spdm/evidence/policy.ts';
import { deviceInfoOf } from '../../protocols/x509/extensions.ts';
import type { Certificate } from '../../protocols/x509/parse.ts';
import { type NamedEvidence, readEvidenceFile } from './evidence-file.ts';
import { ExitCodes, type Io } from './io.ts';
import { readPolicy } from './verify-policy.ts';
import { blockType, verdictLine, verifyLines } from './verify-text.ts';

interface VerifyOptions {
  readonly policy?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

interface Verdict {
  readonly name: string;
  readonly verified: VerifiedEvidence;
}

const certificateJson = ({ subject, serialNumber }: Certificate) => ({
  subject,
  serial: toHex(serialNumber),
});

function signerJson({ chain, rootSha256, algorithm, hash, version }: VerifiedEvidence) {
  const leaf = chain.at(-1);
  const root = chain[0];
  if (leaf === undefined || root === undefined || rootSha256 === undefined) return null;
  return {
    ...certificateJson(leaf),
    device: deviceInfoOf(leaf.extensions) ?? null,
    algorithm: algorithm ?? null,
    hash: hash ?? null,
    version: version ?? null,
    issuers: chain.slice(0, -1).toReversed().map(certificateJson),
    root: { ...certificateJson(root), sha256: toHex(rootSha256) },
  };
}

function evidenceJson({ name, verified }: Verdict) {
  const { ok, checks, blocks, opaque } = verified;
  return {
    file: name,
    ok,
    signer: signerJson(verified),
    checks: checks.map(({ code, ...check }) => ({ ...check, code: code ?? null })),
    blocks: blocks.map((block) => ({
      index: block.Index,
      type: blockType(block),
      size: block.Value.length,
      value: toHex(block.Value),
    })),
    opaque: opaque.map(({ type, name: element, value, text }) => ({
      type,
      name: element,
      value: toHex(value),
      text,
    })),
  };
}

function verifyAll(all: readonly NamedEvidence[], policy: EvidencePolicy, io: Io): Verdict[] {
  const dated = { at: io.now(), ...policy };
  return all.map(({ name, evidence }) => ({
    name,
    verified: verifyEvidence(nodeProvider, evidence, dated),
  }));
}

function printText(verdicts: readonly Verdict[], pinned: boolean, quiet: boolean, io: Io): void {
  for (const [i, { name, verified }] of verdicts.entries()) {
    const lines = quiet
      ? [verdictLine(name, verified, io.colours)]
      : verifyLines(name, verified, pinned, io.colours);
    io.out(`${i > 0 && !quiet ? '\n' : ''}${lines.join('\n')}\n`);
  }
}

function verifyFiles(files: readonly string[], options: VerifyOptions, io: Io): void {
  const policy = options.policy === undefined ? {} : readPolicy(io, options.policy);
  const all = files.flatMap((file) => readEvidenceFile(io, file, nodeProvider));
  const verdicts = verifyAll(all, policy, io);
  if (options.json === true) {
    const document = { schema: 'tdisp-sim/verify@1', evidence: verdicts.map(evidenceJson) };
    io.out(`${JSON.stringify(document)}\n`);
  } else printText(verdicts, policy.rootSha256 !== undefined, options.quiet === true, io);
  if (verdicts.some(({ verified }) => !verified.ok)) io.setExitCode(ExitCodes.FINDINGS);
}

const EXAMPLES = `
Examples:
  tdisp-sim verify h100-gpu.json
  tdisp-sim verify h100-gpu.json nvswitch.json --policy lab.yaml
  tdisp-sim verify evidence.json --json | jq '.evidence[].signer'

A policy file is YAML or JSON; every key but schema may be left out:
  schema: tdisp-sim/verify-policy@1
  roots: ['9f...32 bytes: SHA-256 of the root certificate']
  at: '2026-04-01T00:00:00Z'            # when certificates must be valid; default: now
  revoked: ['72ca2723...']              # serial numbers
  measurements: { 2: 'f21c16b0...' }    # block index: value, or a list of good values
  opaque: { DRIVER_VERSION: '590.12' }  # element name: text or hex, or a list

Without 'roots' any self-signed root passes and its fingerprint is shown: whose it is, is yours to say.
Exit code 1 if any evidence is refused; each refusal has a stable reason such as SIGNATURE or NONCE.`;

export function register(program: Command, io: Io): void {
  program
    .command('verify')
    .summary('check SPDM measurements as a relying party')
    .description(
      'Checks certificate chain, signature, nonce, layout and policy of SPDM measurements.',
    )
    .argument('<EVIDENCE.json...>', 'evidence files')
    .option('--policy <FILE>', 'roots, revoked serials and reference values to hold it to')
    .option('--json', 'print one JSON document')
    .option('--quiet', 'print the verdicts only')
    .addHelpText('after', EXAMPLES)
    .action((files: string[], options: VerifyOptions) => verifyFiles(files, options, io));
}
