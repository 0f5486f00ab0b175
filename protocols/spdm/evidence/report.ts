/**
 * What a relying party decides on, out of verified evidence: who the device is, what firmware it runs,
 * whether it may be debugged, its TCB, what differs from the reference values, and what nobody looked at.
 */

import { cmaIdentityOf, deviceInfoOf } from '../../x509/extensions.ts';
import { DmtfOids } from '../../x509/oids.ts';
import type { CertificateModel } from '../../x509/policy.ts';
import { MeasurementTypes } from '../codes.ts';
import type { MeasurementBlockValue } from '../measurements.ts';
import { type EvidenceNote, note, reasonsOf } from './check.ts';
import type { VerifiedEvidence } from './evidence.ts';
import type { Difference } from './measurement-rules.ts';
import type { EvidencePolicy } from './policy.ts';
import { type DeviceMode, type MeaningOfValue, meaningOf, typeOf, typeText } from './values.ts';

export interface DeviceIdentity {
  /** the leaf's subject; undefined for a bare public key */
  readonly subject: string | undefined;
  /** DMTF device information and its parts */
  readonly deviceInfo: string | undefined;
  readonly manufacturer: string | undefined;
  readonly product: string | undefined;
  readonly serialNumber: string | undefined;
  /** PCIe CMA-SPDM component identity */
  readonly cmaIdentity: string | undefined;
  readonly model: CertificateModel | undefined;
  /** index in the chain of the certificate with id-DMTF-hardware-identity */
  readonly hardwareIdentity: number | undefined;
  readonly rootSha256: Uint8Array | undefined;
  readonly rootPinned: boolean;
}

/** `matches`, `differs` or, without a reference value, `unreferenced`. */
export type ReferenceState = 'matches' | 'differs' | 'unreferenced';

export interface FirmwareLine {
  readonly index: number;
  readonly type: string;
  readonly block: MeasurementBlockValue;
  readonly meaning: MeaningOfValue | undefined;
  /** undefined: the policy does not say which blocks are the TCB */
  readonly tcb: boolean | undefined;
  readonly reference: ReferenceState;
}

/** `active` now, `wasActive` before, `off`, or `unknown` where no device mode is reported. */
export type DebugState = 'active' | 'wasActive' | 'off' | 'unknown';

export interface TcbSummary {
  /** the policy's indices that are reported, and those that are not */
  readonly indices: readonly number[];
  readonly missing: readonly number[];
  /** every one matches its reference value; undefined: one has none */
  readonly matches: boolean | undefined;
}

export interface EvidenceReport {
  readonly ok: boolean;
  /** codes of the refusals, each once */
  readonly reasons: readonly string[];
  readonly device: DeviceIdentity;
  readonly firmware: readonly FirmwareLine[];
  readonly versions: readonly { readonly index: number; readonly text: string }[];
  readonly svns: readonly { readonly index: number; readonly svn: bigint }[];
  readonly debug: { readonly state: DebugState; readonly mode: DeviceMode | undefined };
  readonly tcb: TcbSummary | undefined;
  readonly differences: readonly Difference[];
  readonly manifest: string | undefined;
  readonly notCovered: readonly EvidenceNote[];
}

function identityOf({ chain, model, rootSha256, rootPinned }: VerifiedEvidence): DeviceIdentity {
  const leaf = chain.at(-1);
  const deviceInfo = leaf && deviceInfoOf(leaf.extensions);
  const [manufacturer, product, ...serial] = deviceInfo?.split(':') ?? [];
  const { HARDWARE_IDENTITY } = DmtfOids;
  const at = chain.findIndex((c) => c.extensions.spdmOids?.includes(HARDWARE_IDENTITY) === true);
  return {
    subject: leaf?.subject,
    deviceInfo,
    manufacturer,
    product,
    serialNumber: serial.length === 0 ? undefined : serial.join(':'),
    cmaIdentity: leaf && cmaIdentityOf(leaf.extensions),
    model,
    hardwareIdentity: at < 0 ? undefined : at,
    rootSha256,
    rootPinned,
  };
}

function firmwareLines(verified: VerifiedEvidence, policy: EvidencePolicy): FirmwareLine[] {
  const differs = new Set(verified.differences.map(({ index }) => index));
  const stateOf = (index: number): ReferenceState => {
    if (differs.has(index)) return 'differs';
    return verified.referenced.has(index) ? 'matches' : 'unreferenced';
  };
  return verified.blocks.map((block) => ({
    index: block.Index,
    type: typeText(block),
    block,
    meaning: meaningOf(block),
    tcb: policy.tcb?.includes(block.Index),
    reference: stateOf(block.Index),
  }));
}

/** All device modes as one: a bit that any of them has is set. */
function modeOf(lines: readonly FirmwareLine[]): DeviceMode | undefined {
  const modes = lines.flatMap(({ meaning }) =>
    meaning?.kind === 'deviceMode' ? [meaning.mode] : [],
  );
  if (modes.length === 0) return undefined;
  const all = (names: (mode: DeviceMode) => readonly string[]) => [
    ...new Set(modes.flatMap(names)),
  ];
  return {
    operational: all((mode) => mode.operational),
    operationalCapabilities: all((mode) => mode.operationalCapabilities),
    debug: all((mode) => mode.debug),
    debugCapabilities: all((mode) => mode.debugCapabilities),
  };
}

function debugState(mode: DeviceMode | undefined, lines: readonly FirmwareLine[]): DebugState {
  const isUnread = lines.some(
    ({ block, meaning }) =>
      typeOf(block) === MeasurementTypes.DeviceMode && meaning?.kind !== 'deviceMode',
  );
  if (mode?.debug.some((name) => name.endsWith('DebugActive'))) return 'active';
  if (mode === undefined || isUnread) return 'unknown';
  return mode.debug.length > 0 ? 'wasActive' : 'off';
}

function tcbOf(policy: EvidencePolicy, lines: readonly FirmwareLine[]): TcbSummary | undefined {
  const { tcb } = policy;
  if (tcb === undefined) return undefined;
  const inside = lines.filter((line) => line.tcb === true);
  const indices = inside.map(({ index }) => index);
  const missing = tcb.filter((index) => !indices.includes(index));
  const isOpen = inside.some(({ reference }) => reference === 'unreferenced');
  const isBad = missing.length > 0 || inside.some(({ reference }) => reference === 'differs');
  return { indices, missing, matches: isBad ? false : isOpen ? undefined : true };
}

/** The report on evidence that `verifyEvidence` looked at under `policy`. */
export function reportOf(verified: VerifiedEvidence, policy: EvidencePolicy = {}): EvidenceReport {
  const firmware = firmwareLines(verified, policy);
  const mode = modeOf(firmware);
  const state = debugState(mode, firmware);
  const isOpen = state === 'unknown' && verified.blocks.length > 0;
  const unknown = note('DEBUG_UNKNOWN', 'no device mode is reported: debug state is not known');
  return {
    ok: verified.ok,
    reasons: reasonsOf(verified.checks),
    device: identityOf(verified),
    firmware,
    versions: firmware.flatMap(({ index, meaning }) =>
      meaning?.kind === 'version' ? [{ index, text: meaning.text }] : [],
    ),
    svns: firmware.flatMap(({ index, meaning }) =>
      meaning?.kind === 'svn' ? [{ index, svn: meaning.svn }] : [],
    ),
    debug: { state, mode },
    tcb: tcbOf(policy, firmware),
    differences: verified.differences,
    manifest: verified.manifest,
    notCovered: isOpen ? [...verified.notes, unknown] : verified.notes,
  };
}
