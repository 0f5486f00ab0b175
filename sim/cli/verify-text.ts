/** What `verify` prints: verdict, checks, who signed, firmware, debug state, TCB, differences, what is open. */

import { toHex } from '../../protocols/codec/bytes.ts';
import { versionText } from '../../protocols/spdm/codes.ts';
import type { EvidenceCheck } from '../../protocols/spdm/evidence/check.ts';
import type { VerifiedEvidence } from '../../protocols/spdm/evidence/evidence.ts';
import type { OpaqueElement } from '../../protocols/spdm/evidence/opaque.ts';
import type {
  EvidenceReport,
  FirmwareLine,
  TcbSummary,
} from '../../protocols/spdm/evidence/report.ts';
import { valueText } from '../../protocols/spdm/evidence/values.ts';
import { describeChain, printable } from '../../protocols/x509/describe.ts';
import type { Colours } from './io.ts';

/** What was signed, in words. */
function signedText({ blocks, signed }: VerifiedEvidence): string {
  const parts = [
    ...(signed.includes('measurements') ? [`${blocks.length} measurements`] : []),
    ...(signed.includes('challenge') ? ['a CHALLENGE'] : []),
  ];
  return parts.join(' and ') || 'nothing';
}

export function verdictLine(
  name: string,
  verified: VerifiedEvidence,
  report: EvidenceReport,
  paint: Colours,
): string {
  if (!report.ok) return `${name}: ${paint.bad(`REFUSED ${report.reasons.join(', ')}`)}`;
  const { deviceInfo, subject } = report.device;
  const who = printable(deviceInfo ?? subject ?? 'the public key given');
  return `${name}: ${paint.good('VERIFIED')} ${signedText(verified)} signed by ${who}`;
}

function checkLines(checks: readonly EvidenceCheck[], paint: Colours): string[] {
  return checks.map(({ name, ok, code, detail }) => {
    const mark = ok ? paint.good('ok     ') : paint.bad('REFUSED');
    const what = code === undefined ? name : `${name} ${paint.bad(code)}`;
    return `  ${mark} ${printable(what)}: ${printable(detail)}`;
  });
}

function signatureLine(verified: VerifiedEvidence): string {
  const { algorithm, hash, version, slot } = verified;
  const parts = [algorithm ?? 'unknown algorithm'];
  if (hash !== undefined) parts.push(`with ${hash}`);
  if (version !== undefined)
    parts.push(`over SPDM ${versionText(version)} ${verified.signed.join(' and ')}`);
  if (slot !== undefined && verified.chain.length > 0) parts.push(`of slot ${slot}`);
  return parts.join(' ');
}

function signerLines(verified: VerifiedEvidence, report: EvidenceReport, paint: Colours): string[] {
  const { chain, rootSha256, rootPinned } = verified;
  if (chain.length === 0 || rootSha256 === undefined)
    return verified.signed.length === 0
      ? []
      : [paint.bold('Signer'), `  ${signatureLine(verified)}`, '  a public key, no certificate'];
  const { model, hardwareIdentity } = report.device;
  const identity = hardwareIdentity === undefined ? 'none' : `certificate [${hardwareIdentity}]`;
  const trust = rootPinned
    ? 'pinned by the policy'
    : paint.warn('trusted only as far as you trust this fingerprint: pin it with --policy');
  return [
    paint.bold('Signer'),
    `  ${signatureLine(verified)}`,
    `  certificate model ${model ?? 'not told'}, hardware identity in ${identity}`,
    ...describeChain(chain).map((line) => `  ${line}`),
    `  root fingerprint (SHA-256) ${toHex(rootSha256)}`,
    `  ${trust}`,
  ];
}

const marks = { matches: 'ok', differs: 'DIFFERS', unreferenced: '' } as const;

function referenceMark({ reference }: FirmwareLine, paint: Colours): string {
  if (reference === 'unreferenced') return '';
  return ` ${(reference === 'matches' ? paint.good : paint.bad)(marks[reference])}`;
}

function firmwareLines(lines: readonly FirmwareLine[], paint: Colours): string[] {
  if (lines.length === 0) return [];
  const width = Math.max(...lines.map(({ type }) => type.length), 4);
  const rows = lines.map((line) => {
    const { index, type, block, tcb } = line;
    const place = `${String(index).padStart(5)} ${type.padEnd(width)}`;
    const isIn = tcb === true ? ' TCB' : '';
    const value = printable(valueText(block));
    return `  ${place} ${String(block.Value.length).padStart(5)} ${value}${isIn}${referenceMark(line, paint)}`;
  });
  const head = `  index ${'type'.padEnd(width)} bytes value`;
  return [paint.bold(`Measurements (${lines.length})`), paint.dim(head), ...rows];
}

function debugLines({ debug, firmware }: EvidenceReport, paint: Colours): string[] {
  if (firmware.length === 0) return [];
  const { state, mode } = debug;
  const names = mode?.debug.join(', ') ?? '';
  const says = {
    active: paint.bad(`ACTIVE: ${names}`),
    wasActive: paint.warn(`off now; ${names}`),
    off: paint.good('off'),
    unknown: paint.warn('not known: no device mode is reported'),
  }[state];
  const operational = mode === undefined ? '' : mode.operational.join(', ') || 'none';
  return [
    `${paint.bold('Debug')} ${says}`,
    ...(mode === undefined ? [] : [`  operational mode ${operational}`]),
  ];
}

function tcbText({ indices, missing, matches }: TcbSummary): string {
  const blocks = `blocks ${indices.join(', ') || 'none'}`;
  const gone = missing.length === 0 ? '' : `, not reported ${missing.join(', ')}`;
  if (matches === undefined) return `${blocks}${gone}; not all have reference values`;
  return `${blocks}${gone}; ${matches ? 'all as the reference has them' : 'not as the reference has them'}`;
}

function tcbLines(report: EvidenceReport, paint: Colours): string[] {
  const { tcb, svns, versions, manifest } = report;
  const numbers = [
    ...svns.map(({ index, svn }) => `SVN ${svn} (block ${index})`),
    ...versions.map(({ index, text }) => `version ${printable(text)} (block ${index})`),
    ...(manifest === undefined ? [] : [`manifest ${printable(manifest)}`]),
  ];
  if (tcb === undefined && numbers.length === 0) return [];
  const head = tcb === undefined ? 'not named by the policy' : tcbText(tcb);
  return [`${paint.bold('TCB')} ${head}`, ...numbers.map((line) => `  ${line}`)];
}

/** Expected and measured below each other, so that long digests are compared by eye. */
function differenceLines({ differences }: EvidenceReport, paint: Colours): string[] {
  if (differences.length === 0) return [];
  return [
    paint.bold(`Differences (${differences.length})`),
    ...differences.flatMap(({ index, type, expected, measured, code }) => [
      `  ${String(index ?? '-').padStart(5)} ${type} ${paint.bad(code)}`,
      `        expected ${printable(expected)}`,
      `        measured ${measured === undefined ? 'nothing' : printable(measured)}`,
    ]),
  ];
}

function notCoveredLines({ notCovered }: EvidenceReport, paint: Colours): string[] {
  if (notCovered.length === 0) return [];
  const width = Math.max(...notCovered.map(({ code }) => code.length));
  const rows = notCovered.map(
    ({ code, detail }) => `  ${paint.warn(code.padEnd(width))} ${detail}`,
  );
  return [paint.bold('Not covered'), ...rows];
}

function opaqueLines(opaque: readonly OpaqueElement[], paint: Colours): string[] {
  if (opaque.length === 0) return [];
  const width = Math.max(...opaque.map(({ name }) => name.length));
  const rows = opaque.map(
    ({ name, text }) => `  ${name.padEnd(width)} ${text === '' ? '-' : printable(text)}`,
  );
  return [paint.bold(`Opaque data (${opaque.length} elements)`), ...rows];
}

/** The whole report on one piece of evidence. */
export function verifyLines(
  name: string,
  verified: VerifiedEvidence,
  report: EvidenceReport,
  paint: Colours,
): string[] {
  return [
    verdictLine(name, verified, report, paint),
    ...checkLines(verified.checks, paint),
    ...signerLines(verified, report, paint),
    ...firmwareLines(report.firmware, paint),
    ...debugLines(report, paint),
    ...tcbLines(report, paint),
    ...differenceLines(report, paint),
    ...opaqueLines(verified.opaque, paint),
    ...notCoveredLines(report, paint),
  ];
}
