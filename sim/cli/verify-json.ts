/** What `verify --json` prints of one piece of evidence: part of the document `tdisp-sim/verify@1`. */

import { toHex } from '../../protocols/codec/bytes.ts';
import type { VerifiedEvidence } from '../../protocols/spdm/evidence/evidence.ts';
import type { EvidenceReport, FirmwareLine } from '../../protocols/spdm/evidence/report.ts';
import type { MeaningOfValue } from '../../protocols/spdm/evidence/values.ts';
import { deviceInfoOf } from '../../protocols/x509/extensions.ts';
import type { Certificate } from '../../protocols/x509/parse.ts';

const certificateJson = ({ subject, serialNumber }: Certificate) => ({
  subject,
  serial: toHex(serialNumber),
});

function signerJson(verified: VerifiedEvidence) {
  const { chain, rootSha256, algorithm, hash, version, slot } = verified;
  const leaf = chain.at(-1);
  const root = chain[0];
  if (leaf === undefined || root === undefined || rootSha256 === undefined) return null;
  return {
    ...certificateJson(leaf),
    device: deviceInfoOf(leaf.extensions) ?? null,
    algorithm: algorithm ?? null,
    hash: hash ?? null,
    version: version ?? null,
    slot: slot ?? null,
    issuers: chain.slice(0, -1).toReversed().map(certificateJson),
    root: { ...certificateJson(root), sha256: toHex(rootSha256), pinned: verified.rootPinned },
  };
}

/** A security version number has 64 bits: as text, since a JSON number would lose some. */
function meaningJson(meaning: MeaningOfValue | undefined) {
  if (meaning === undefined) return {};
  if (meaning.kind === 'version') return { version: meaning.text };
  return meaning.kind === 'svn'
    ? { svn: String(meaning.svn) }
    : { deviceMode: { operational: meaning.mode.operational, debug: meaning.mode.debug } };
}

const blockJson = ({ index, type, block, meaning, tcb, reference }: FirmwareLine) => ({
  index,
  type,
  size: block.Value.length,
  value: toHex(block.Value),
  ...meaningJson(meaning),
  tcb: tcb ?? null,
  reference,
});

function deviceJson({ device }: EvidenceReport) {
  const { rootSha256: _, rootPinned: _pinned, ...told } = device;
  return Object.fromEntries(Object.entries(told).map(([key, value]) => [key, value ?? null]));
}

/** The fields of one piece of evidence. */
export function evidenceJson(file: string, verified: VerifiedEvidence, report: EvidenceReport) {
  const { ok, checks, opaque, signed } = verified;
  const { debug, tcb, differences, manifest, notCovered, reasons } = report;
  return {
    file,
    ok,
    reasons,
    signed,
    signer: signerJson(verified),
    device: deviceJson(report),
    checks: checks.map(({ code, ...check }) => ({ ...check, code: code ?? null })),
    blocks: report.firmware.map(blockJson),
    debug: { state: debug.state, active: debug.mode?.debug ?? null },
    tcb:
      tcb === undefined
        ? null
        : {
            indices: tcb.indices,
            missing: tcb.missing,
            svns: report.svns
              .filter(({ index }) => tcb.indices.includes(index))
              .map(({ index, svn }) => ({ index, svn: String(svn) })),
            matches: tcb.matches ?? null,
          },
    differences: differences.map(({ index, measured, ...rest }) => ({
      index: index ?? null,
      ...rest,
      measured: measured ?? null,
    })),
    manifest: manifest ?? null,
    notCovered,
    opaque: opaque.map(({ type, name, value, text }) => ({
      type,
      name,
      value: toHex(value),
      text,
    })),
  };
}
