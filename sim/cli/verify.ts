/** The verb `verify`: checks SPDM measurements and CHALLENGEs as a relying party, real devices' included. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { HashName, SignatureName } from '../../protocols/crypto/algorithms.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import {
  type Evidence,
  type VerifiedEvidence,
  verifyEvidence,
} from '../../protocols/spdm/evidence/evidence.ts';
import type { EvidencePolicy } from '../../protocols/spdm/evidence/policy.ts';
import { type EvidenceReport, reportOf } from '../../protocols/spdm/evidence/report.ts';
import {
  addSecretOptions,
  hexOption,
  publicKeyOf,
  readSecrets,
  type SecretOptions,
} from './dump-secrets.ts';
import { plainBytes } from './evidence-bytes.ts';
import { isCapture, readCaptureEvidence } from './evidence-capture.ts';
import { readChainFile } from './evidence-chain.ts';
import {
  hashNames,
  type NamedEvidence,
  readEvidenceFile,
  signatureNames,
} from './evidence-file.ts';
import { ExitCodes, type Io } from './io.ts';
import { evidenceJson } from './verify-json.ts';
import { readPolicy } from './verify-policy.ts';
import { verdictLine, verifyLines } from './verify-text.ts';

interface VerifyOptions extends SecretOptions {
  readonly chain?: string;
  readonly publicKey?: string;
  readonly vca?: string;
  readonly nonce: readonly Uint8Array[];
  readonly asym?: SignatureName;
  readonly hash?: HashName;
  readonly role?: 'responder' | 'requester';
  readonly policy?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

interface Verdict {
  readonly name: string;
  readonly verified: VerifiedEvidence;
  readonly report: EvidenceReport;
}

const NONCE_BYTES = 32;

function nonceOption(text: string, before: readonly Uint8Array[]): readonly Uint8Array[] {
  const all = hexOption(text, before);
  if (all.at(-1)?.length === NONCE_BYTES) return all;
  throw new InvalidArgumentError('expected 32 bytes in hexadecimal');
}

/** What the command line says of all evidence; it stands above what files say. */
function saidByOptions(options: VerifyOptions, io: Io): Partial<Evidence> {
  const { chain, publicKey, vca, nonce, asym, hash, role } = options;
  return {
    ...(vca === undefined ? {} : { vca: plainBytes(io.readFile(vca)) }),
    ...(chain === undefined ? {} : readChainFile(io, chain)),
    ...(publicKey === undefined ? {} : { publicKey: publicKeyOf(publicKey, io) }),
    ...(nonce.length === 0 ? {} : { nonce }),
    ...(asym === undefined ? {} : { algorithm: asym }),
    ...(hash === undefined ? {} : { hash }),
    ...(role === undefined ? {} : { role }),
  };
}

/** A signer of the command line takes the place of all a file says of its signer. */
function told({ name, evidence }: NamedEvidence, said: Partial<Evidence>): NamedEvidence {
  const hasSigner = [said.certificates, said.chain, said.publicKey].some(
    (one) => one !== undefined,
  );
  const {
    certificates: _,
    chain: _chain,
    publicKey: _key,
    containerFault: _fault,
    ...rest
  } = evidence;
  return { name, evidence: { ...(hasSigner ? rest : evidence), ...said } };
}

function readAll(files: readonly string[], options: VerifyOptions, io: Io): NamedEvidence[] {
  const said = saidByOptions(options, io);
  const secrets = readSecrets(options, io);
  return files.flatMap((file) => {
    const all = isCapture(io.readFile(file))
      ? readCaptureEvidence(io, file, nodeProvider, secrets)
      : readEvidenceFile(io, file);
    return all.map((one) => told(one, said));
  });
}

function verifyAll(all: readonly NamedEvidence[], policy: EvidencePolicy, io: Io): Verdict[] {
  const dated = { at: io.now(), ...policy };
  return all.map(({ name, evidence }) => {
    const verified = verifyEvidence(nodeProvider, evidence, dated);
    return { name, verified, report: reportOf(verified, dated) };
  });
}

function printText(verdicts: readonly Verdict[], quiet: boolean, io: Io): void {
  for (const [i, { name, verified, report }] of verdicts.entries()) {
    const lines = quiet
      ? [verdictLine(name, verified, report, io.colours)]
      : verifyLines(name, verified, report, io.colours);
    io.out(`${i > 0 && !quiet ? '\n' : ''}${lines.join('\n')}\n`);
  }
}

function verifyFiles(files: readonly string[], options: VerifyOptions, io: Io): void {
  const policy = options.policy === undefined ? {} : readPolicy(io, options.policy);
  const verdicts = verifyAll(readAll(files, options, io), policy, io);
  if (options.json === true) {
    const evidence = verdicts.map(({ name, verified, report }) =>
      evidenceJson(name, verified, report),
    );
    io.out(`${JSON.stringify({ schema: 'tdisp-sim/verify@1', evidence })}\n`);
  } else printText(verdicts, options.quiet === true, io);
  if (verdicts.some(({ verified }) => !verified.ok)) io.setExitCode(ExitCodes.FINDINGS);
}

const EXAMPLES = `
Examples:
  tdisp-sim verify h100-gpu.json
  tdisp-sim verify h100-gpu.json nvswitch.json --policy lab.yaml
  tdisp-sim verify measurements.hex --vca vca.hex --chain device.pem --nonce 0f3a...
  tdisp-sim verify doe.pcap --keylog keys.txt
  tdisp-sim verify evidence.json --json | jq '.evidence[].signer'

Evidence is JSON, a capture, or the messages themselves as binary, hexadecimal or base64: VCA, then those
that fetched the certificates, CHALLENGE and its answer, measurements, as far as they are there. A chain is
PEM, DER one after the other, or the SPDM chain; PEM and DER either way round.

A policy file is YAML or JSON; every key but schema may be left out:
  schema: tdisp-sim/verify-policy@1
  roots: ['9f...32 bytes: SHA-256 of the root certificate, or the root in PEM']
  at: '2026-04-01T00:00:00Z'            # when certificates must be valid; default: now
  revoked: ['72ca2723...', { serial: '01', issuer: CN=Lab CA }]   # or a SHA-256 of 32 bytes
  measurements:                         # by block index or by type
    2: 'f21c16b0...'                    # a value, or a list of good values
    SecureVersionNumber: { minimumSvn: 7 }
    3: { version: ['1.2', '1.3'], forbidden: 'aa00...', optional: true }
  manifests: [{ name: release 12, measurements: { 1: 'ab...' } }]  # one must fit
  refuseUnlisted: true                  # no block without a rule
  tcb: [1, 2]                           # blocks of the trusted computing base
  debug: off                            # or offSinceReset, never
  operationalModes: [Normal]
  device: { manufacturer: ACME, product: X1, serialNumber: '0042', hardwareIdentity: true }
  requireEku: true
  algorithms: { minimumBits: 192, postQuantum: false }
  minimumVersion: '1.2'
  requireNonce: true
  require: [challenge, measurements]
  opaque: { DRIVER_VERSION: '590.12' }  # element name: text or hex, or a list

Without 'roots' any self-signed root passes and its fingerprint is shown: whose it is, is yours to say.
Exit code 1 if any evidence is refused; each refusal has a stable reason such as SIGNATURE or NONCE.`;

export function register(program: Command, io: Io): void {
  const verb = program
    .command('verify')
    .summary('check SPDM evidence as a relying party')
    .description(
      'Checks certificate chain, signature, nonce, layout and policy of SPDM measurements and CHALLENGEs.',
    )
    .argument('<EVIDENCE...>', 'JSON, captures, or messages as binary, hexadecimal or base64')
    .option('--chain <FILE>', "the signer's certificates: PEM, DER or SPDM chain")
    .option('--public-key <FILE>', 'its provisioned public key instead, in PEM or DER')
    .option('--vca <FILE>', 'GET_VERSION to ALGORITHMS, if not in front of the messages')
    .option('--nonce <HEX>', 'a nonce that was sent; may be repeated, any is good', nonceOption, [])
    .addOption(
      new Option('--asym <NAME>', 'signature algorithm where no VCA tells it').choices(
        signatureNames,
      ),
    )
    .addOption(new Option('--hash <NAME>', 'hash where no VCA tells it').choices(hashNames))
    .addOption(new Option('--role <ROLE>', 'who signed').choices(['responder', 'requester']))
    .option('--policy <FILE>', 'roots, revocation, reference values and more to hold it to')
    .option('--json', 'print one JSON document')
    .option('--quiet', 'print the verdicts only')
    .addHelpText('after', EXAMPLES)
    .action((files: string[], options: VerifyOptions) => verifyFiles(files, options, io));
  addSecretOptions(verb);
}
