/** What `verify` prints: the verdict, who signed, every check, every measurement block, every opaque element. */

import { toHex } from '../../protocols/codec/bytes.ts';
import { measurementTypeNames, versionText } from '../../protocols/spdm/codes.ts';
import type { EvidenceCheck } from '../../protocols/spdm/evidence/check.ts';
import type { VerifiedEvidence } from '../../protocols/spdm/evidence/evidence.ts';
import type { OpaqueElement } from '../../protocols/spdm/evidence/opaque.ts';
import type { MeasurementBlockValue } from '../../protocols/spdm/measurements.ts';
import { describeChain, printable } from '../../protocols/x509/describe.ts';
import { deviceInfoOf } from '../../protocols/x509/extensions.ts';
import type { Colours } from './io.ts';

const RAW_BIT = 0x80;
const TYPE_MASK = 0x7f;

/** `MutableFirmware`, `Version (raw)`, or the specification's number where the value is none of DMTF's. */
export function blockType(block: MeasurementBlockValue): string {
  if (block.ValueType === undefined) return `specification ${block.MeasurementSpecification}`;
  const type = block.ValueType & TYPE_MASK;
  const name = measurementTypeNames[type] ?? `type ${type}`;
  return block.ValueType & RAW_BIT ? `${name} (raw)` : name;
}

/** The reasons of a refusal, each once. */
export function reasons(checks: readonly EvidenceCheck[]): string[] {
  return [...new Set(checks.flatMap(({ code }) => (code === undefined ? [] : [code])))];
}

export function verdictLine(name: string, verified: VerifiedEvidence, paint: Colours): string {
  if (!verified.ok)
    return `${name}: ${paint.bad(`REFUSED ${reasons(verified.checks).join(', ')}`)}`;
  const leaf = verified.chain.at(-1);
  const who = leaf === undefined ? undefined : (deviceInfoOf(leaf.extensions) ?? leaf.subject);
  const count = verified.blocks.length;
  return `${name}: ${paint.good('VERIFIED')} ${count} measurements signed by ${printable(who ?? 'nobody')}`;
}

function checkLines(checks: readonly EvidenceCheck[], paint: Colours): string[] {
  return checks.map(({ name, ok, code, detail }) => {
    const mark = ok ? paint.good('ok     ') : paint.bad('REFUSED');
    return `  ${mark} ${code === undefined ? name : `${name} ${paint.bad(code)}`}: ${printable(detail)}`;
  });
}

function signatureLine({ algorithm, hash, version }: VerifiedEvidence): string {
  const parts = [algorithm ?? 'unknown algorithm'];
  if (hash !== undefined) parts.push(`with ${hash}`);
  if (version !== undefined) parts.push(`over SPDM ${versionText(version)} measurements`);
  return parts.join(' ');
}

function signerLines(verified: VerifiedEvidence, pinned: boolean, paint: Colours): string[] {
  const { chain, rootSha256 } = verified;
  if (chain.length === 0 || rootSha256 === undefined) return [];
  const trust = pinned
    ? 'pinned by the policy'
    : 'trusted only as far as you trust this fingerprint: pin it with --policy';
  return [
    paint.bold('Signer'),
    `  ${signatureLine(verified)}`,
    ...describeChain(chain).map((line) => `  ${line}`),
    `  root fingerprint (SHA-256) ${toHex(rootSha256)}`,
    `  ${pinned ? trust : paint.warn(trust)}`,
  ];
}

function blockLines(blocks: readonly MeasurementBlockValue[], paint: Colours): string[] {
  if (blocks.length === 0) return [];
  const types = blocks.map(blockType);
  const width = Math.max(...types.map((type) => type.length), 4);
  const rows = blocks.map(
    ({ Index, Value }, i) =>
      `  ${String(Index).padStart(5)} ${types[i]!.padEnd(width)} ${String(Value.length).padStart(5)} ${toHex(Value)}`,
  );
  const head = `  index ${'type'.padEnd(width)} bytes value`;
  return [paint.bold(`Measurements (${blocks.length})`), paint.dim(head), ...rows];
}

function opaqueLines(opaque: readonly OpaqueElement[], paint: Colours): string[] {
  if (opaque.length === 0) return [];
  const width = Math.max(...opaque.map(({ name }) => name.length));
  const rows = opaque.map(
    ({ name, text }) => `  ${name.padEnd(width)} ${text === '' ? '-' : text}`,
  );
  return [paint.bold(`Opaque data (${opaque.length} elements)`), ...rows];
}

/** The whole report on one piece of evidence. */
export function verifyLines(
  name: string,
  verified: VerifiedEvidence,
  pinned: boolean,
  paint: Colours,
): string[] {
  return [
    verdictLine(name, verified, paint),
    ...checkLines(verified.checks, paint),
    ...signerLines(verified, pinned, paint),
    ...blockLines(verified.blocks, paint),
    ...opaqueLines(verified.opaque, paint),
  ];
}
