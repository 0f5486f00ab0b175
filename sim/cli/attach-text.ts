/** What `attach` prints for people: who answered, what was agreed, each step, measurements, findings. */

import { printable } from '../../protocols/x509/describe.ts';
import {
  type AttachReport,
  type AttachSlot,
  type AttachStep,
  findingsOf,
} from '../socket/attach-report.ts';
import type { Colours } from './io.ts';

const listed = (names: readonly (string | null)[]): string =>
  names.filter((name) => name !== null).join(', ') || 'none';

function negotiatedLines(report: AttachReport, paint: Colours): string[] {
  const { dataObjects, versions, version, capabilities, algorithms } = report;
  const lines = [paint.bold('Responder')];
  if (dataObjects !== null) lines.push(`  data objects  ${listed(dataObjects)}`);
  lines.push(`  versions      ${listed(versions)}; negotiated ${version ?? 'none'}`);
  if (capabilities !== null) {
    lines.push(`  capabilities  ${listed(capabilities.names)}`);
    const { dataTransferSize, maxSpdmMsgSize } = capabilities;
    if (dataTransferSize !== null)
      lines.push(`  sizes         transfer ${dataTransferSize}, message ${maxSpdmMsgSize} bytes`);
  }
  if (algorithms !== null) {
    const { hash, asym, exchange, aead, measurementHash, requesterAsym, multiKey } = algorithms;
    lines.push(`  algorithms    ${listed([asym, hash, exchange, aead])}`);
    if (requesterAsym !== null) lines.push(`  requester's   ${requesterAsym}`);
    if (measurementHash !== null) lines.push(`  measurements  in ${measurementHash}`);
    if (multiKey) lines.push('  keys          each slot may have its own');
  }
  return lines;
}

/** Who is in a slot; one without certificates stands for a bare key. */
function slotLine({ device, keyPairId, certificates }: AttachSlot): string {
  const name = certificates.length === 0 ? 'public key' : device;
  const key = keyPairId === null ? null : `key pair ${keyPairId}`;
  return [name, key].flatMap((part) => (part === null ? [] : [`, ${printable(part)}`])).join('');
}

function slotLines(report: AttachReport, paint: Colours): string[] {
  return report.slots.flatMap((entry) => {
    const { slot, certificates, rootSha256, trusted } = entry;
    const isKnown = report.pinned || certificates.length === 0;
    const good = isKnown ? paint.good('good') : paint.warn('consistent, root unknown');
    const verdict = trusted ? good : paint.bad('not trusted');
    const lines = [`${paint.bold(`Slot ${slot}`)} ${verdict}${slotLine(entry)}`];
    for (const [i, { subject }] of certificates.entries())
      lines.push(`  [${i}] ${printable(subject)}`);
    if (rootSha256 !== null) lines.push(`  root fingerprint (SHA-256) ${rootSha256}`);
    if (trusted && !isKnown)
      lines.push(
        paint.warn('  nobody vouches for this root: compare the fingerprint, pin it with --root'),
      );
    return lines;
  });
}

function measurementLines(report: AttachReport, paint: Colours): string[] {
  const { measurements, measurementsSigned, measurementLog } = report;
  const signed = measurementsSigned ? 'signed' : 'unsigned';
  const width = Math.max(4, ...measurements.map(({ type }) => type.length));
  const rows = measurements.map(({ index, type, raw, value }) => {
    const kind = raw ? 'raw' : 'hash';
    return `  ${String(index).padStart(5)} ${type.padEnd(width)} ${kind.padEnd(4)} ${value}`;
  });
  const lines =
    rows.length === 0 ? [] : [paint.bold(`Measurements (${rows.length}, ${signed})`), ...rows];
  if (measurementLog === null) return lines;
  const entries = measurementLog.map(
    ({ index, measurement, type, value }) =>
      `  ${String(index).padStart(5)} into ${measurement}: ${type} ${value}`,
  );
  return [...lines, paint.bold(`Measurement log (${entries.length})`), ...entries];
}

function ownLines({ endpoint, keyPairs, sessions }: AttachReport, paint: Colours): string[] {
  const lines: string[] = [];
  for (const { registry, vendorId, subordinates } of endpoint ?? []) {
    const vendor = vendorId === '' ? '' : ` vendor ${vendorId}`;
    lines.push(`${paint.bold('Endpoint')} ${registry}${vendor}, ${listed(subordinates)}`);
  }
  if (keyPairs.length > 0) lines.push(paint.bold(`Key pairs (${keyPairs.length})`));
  for (const { id, algorithms, usage, slots } of keyPairs) {
    const where = slots.length === 0 ? 'no slot' : `slots ${slots.join(', ')}`;
    lines.push(`  ${String(id).padStart(5)} ${listed(algorithms)}; ${listed(usage)}; ${where}`);
  }
  if (sessions.length > 0) lines.push(paint.bold(`Sessions (${sessions.length})`));
  for (const { id, kind, slot, heartbeatPeriod, mutual } of sessions) {
    const from = slot === null ? '' : ` with slot ${slot}`;
    const both = mutual ? ', both sides authenticated' : '';
    const beat = heartbeatPeriod === 0 ? '' : `, heartbeat ${heartbeatPeriod} s`;
    lines.push(`  0x${id.toString(16).padStart(8, '0')} ${kind}${from}${both}${beat}`);
  }
  return lines;
}

function applicationLines({ ide, tdisp }: AttachReport, paint: Colours): string[] {
  const lines: string[] = [];
  if (ide !== null)
    lines.push(`${paint.bold('IDE')} port ${ide.port}, ${ide.selectiveStreams} selective streams`);
  if (tdisp !== null) {
    const { functionId, versions, state, reportBytes, mmioRanges } = tdisp;
    const report =
      reportBytes === null ? '' : `, report of ${reportBytes} bytes, ${mmioRanges} ranges`;
    const head = `${paint.bold('TDI')} ${functionId}, TDISP ${listed(versions)}`;
    lines.push(`${head}, ${state ?? 'no state'}${report}`);
  }
  return lines;
}

/** One step on one line. */
export function stepLine({ name, outcome, code, detail }: AttachStep, paint: Colours): string {
  const mark = {
    ok: paint.good('ok     '),
    refused: paint.bad('REFUSED'),
    absent: paint.dim('absent '),
  };
  const what = [code, detail === '' ? null : printable(detail)].filter((part) => part !== null);
  return `  ${mark[outcome]} ${name}${what.length === 0 ? '' : `: ${what.join(': ')}`}`;
}

const sessionsText = ({ sessions }: AttachReport): string =>
  sessions.length === 1 ? 'session held' : `${sessions.length} sessions held`;

/** The last line: what to make of it. */
export function verdictLine(report: AttachReport, target: string, paint: Colours): string {
  const findings = findingsOf(report);
  if (findings.length > 0)
    return `${target}: ${paint.bad(`${findings.length} findings`)}: ${findings.map(({ code }) => code).join(', ')}`;
  const under = report.pinned ? 'authenticated' : 'authenticated under an unknown root';
  const isBareKey = report.slots.every(({ certificates }) => certificates.length === 0);
  const proven = isBareKey ? 'authenticated by its public key' : under;
  const proof = report.authenticated ? proven : 'not authenticated';
  const session = report.sessions.length === 0 ? 'no session' : sessionsText(report);
  return `${target}: ${paint.good('no findings')}, ${proof}, ${session}`;
}

/** The whole report. */
export function attachLines(report: AttachReport, target: string, paint: Colours): string[] {
  return [
    ...negotiatedLines(report, paint),
    ...slotLines(report, paint),
    ...measurementLines(report, paint),
    ...ownLines(report, paint),
    ...applicationLines(report, paint),
    paint.bold('Steps'),
    ...report.steps.map((step) => stepLine(step, paint)),
    verdictLine(report, target, paint),
  ];
}
