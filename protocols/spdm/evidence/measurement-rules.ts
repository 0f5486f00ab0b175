/** Measurement blocks held to reference values: what fits, what differs, and what nobody has a value for. */

import { equal, toHex } from '../../codec/bytes.ts';
import { MeasurementTypes, measurementTypeNames } from '../codes.ts';
import type { MeasurementBlockValue } from '../measurements.ts';
import { type EvidenceCheck, EvidenceFaults, passed, refused } from './check.ts';
import type { EvidencePolicy, MeasurementRule, ReferenceManifest } from './policy.ts';
import { meaningOf, typeOf, typeText, valueText } from './values.ts';

/** One line of what differs from the reference values. */
export interface Difference {
  /** undefined: a rule for a type of which no block is reported */
  readonly index: number | undefined;
  /** the block's type, or the one the rule asks for */
  readonly type: string;
  readonly expected: string;
  /** undefined: not reported */
  readonly measured: string | undefined;
  readonly code: string;
}

export interface ReferenceFindings {
  readonly checks: readonly EvidenceCheck[];
  readonly differences: readonly Difference[];
  /** indices of blocks that a rule has a value for */
  readonly referenced: ReadonlySet<number>;
  /** the reference manifest that fits */
  readonly manifest: string | undefined;
}

/** The type a rule means: its own, or that of the values it asks about. */
function ruleType(rule: MeasurementRule): number | undefined {
  if (rule.type !== undefined) return rule.type;
  if (rule.minimumSvn !== undefined) return MeasurementTypes.SecureVersionNumber;
  return rule.versions === undefined ? undefined : MeasurementTypes.Version;
}

const typeName = (type: number | undefined) =>
  type === undefined ? 'any type' : (measurementTypeNames[type] ?? `type ${type}`);

function expectedText(rule: MeasurementRule): string {
  const { values, versions, minimumSvn } = rule;
  const parts = [
    ...(values ?? []).map(toHex),
    ...(versions ?? []),
    ...(minimumSvn === undefined ? [] : [`SVN ${minimumSvn} or more`]),
  ];
  return parts.join(' or ') || 'a block';
}

const isCondition = ({ values, versions, minimumSvn }: MeasurementRule) =>
  (values ?? versions ?? minimumSvn) !== undefined;

/** Why a block is not what the rule asks; undefined: it is. */
function blockFault(
  rule: MeasurementRule,
  block: MeasurementBlockValue,
): { code: string; expected: string } | undefined {
  const { values, forbidden, versions, minimumSvn } = rule;
  const type = ruleType(rule);
  if (type !== undefined && typeOf(block) !== type)
    return { code: EvidenceFaults.MEASUREMENT_MISMATCH, expected: typeName(type) };
  if (forbidden?.some((value) => equal(value, block.Value)))
    return { code: EvidenceFaults.MEASUREMENT_FORBIDDEN, expected: 'any value but this' };
  const expected = expectedText(rule);
  if (values !== undefined && !values.some((value) => equal(value, block.Value)))
    return { code: EvidenceFaults.MEASUREMENT_MISMATCH, expected };
  if (versions === undefined && minimumSvn === undefined) return undefined;
  const meaning = meaningOf(block);
  if (versions !== undefined) {
    if (meaning?.kind !== 'version') return { code: EvidenceFaults.VALUE_LAYOUT, expected };
    if (!versions.includes(meaning.text))
      return { code: EvidenceFaults.VERSION_NOT_ALLOWED, expected };
  }
  if (minimumSvn === undefined) return undefined;
  if (meaning?.kind !== 'svn') return { code: EvidenceFaults.VALUE_LAYOUT, expected };
  return meaning.svn < minimumSvn ? { code: EvidenceFaults.SVN_TOO_LOW, expected } : undefined;
}

function blocksOf(rule: MeasurementRule, blocks: readonly MeasurementBlockValue[]) {
  const type = ruleType(rule);
  return blocks.filter((block) =>
    rule.index === undefined ? typeOf(block) === type : block.Index === rule.index,
  );
}

/** What differs from one rule. */
function differencesFrom(
  rule: MeasurementRule,
  blocks: readonly MeasurementBlockValue[],
): Difference[] {
  const meant = blocksOf(rule, blocks);
  if (meant.length === 0) {
    const isAboutPresence = rule.optional === true || (rule.forbidden && !isCondition(rule));
    if (isAboutPresence) return [];
    const { index } = rule;
    const expected = expectedText(rule);
    const code = EvidenceFaults.MEASUREMENT_MISSING;
    return [{ index, type: typeName(ruleType(rule)), expected, measured: undefined, code }];
  }
  return meant.flatMap((block) => {
    const fault = blockFault(rule, block);
    if (fault === undefined) return [];
    return [{ index: block.Index, type: typeText(block), measured: valueText(block), ...fault }];
  });
}

const asRefusal = (difference: Difference): EvidenceCheck => {
  const { index, type, measured, expected, code } = difference;
  const detail =
    measured === undefined ? `not reported, expected ${expected}` : `${measured}, not ${expected}`;
  return refused(`measurement ${index ?? type}`, code, detail);
};

/** The manifest that fits, else the one that does with the fewest differences. */
function checkManifests(
  manifests: readonly ReferenceManifest[],
  blocks: readonly MeasurementBlockValue[],
): { check: EvidenceCheck; differences: readonly Difference[]; fits?: ReferenceManifest } {
  const tried = manifests.map((manifest) => ({
    manifest,
    differences: manifest.rules.flatMap((rule) => differencesFrom(rule, blocks)),
  }));
  const nearest = tried.reduce((a, b) => (b.differences.length < a.differences.length ? b : a));
  const { manifest, differences } = nearest;
  const of = `${manifests.length} reference manifest${manifests.length === 1 ? '' : 's'}`;
  if (differences.length > 0) {
    const detail = `none of ${of} fits; ${manifest.name} is nearest, with ${differences.length} differences`;
    return { check: refused('manifest', EvidenceFaults.MANIFEST_MISMATCH, detail), differences };
  }
  return { check: passed('manifest', `${manifest.name} fits`), differences, fits: manifest };
}

/** All rules of the policy, those of its short map included. */
function rulesOf(policy: EvidencePolicy): MeasurementRule[] {
  const short = [...(policy.measurements ?? [])].map(([index, values]) => ({ index, values }));
  return [...short, ...(policy.rules ?? [])];
}

/** Holds blocks to the policy's reference values. */
export function checkReferences(
  policy: EvidencePolicy,
  blocks: readonly MeasurementBlockValue[],
): ReferenceFindings {
  const checks: EvidenceCheck[] = [];
  const rules = rulesOf(policy);
  const differences = rules.flatMap((rule) => differencesFrom(rule, blocks));
  checks.push(...differences.map(asRefusal));
  if (rules.length > 0 && differences.length === 0)
    checks.push(passed('reference', `${rules.length} measurements as the policy has them`));
  const manifests = policy.manifests ?? [];
  const tried = manifests.length === 0 ? undefined : checkManifests(manifests, blocks);
  if (tried !== undefined) {
    checks.push(tried.check);
    differences.push(...tried.differences);
  }
  const all = [...rules, ...(tried?.fits?.rules ?? [])];
  const indicesOf = (some: readonly MeasurementRule[]) =>
    new Set(some.flatMap((rule) => blocksOf(rule, blocks).map(({ Index }) => Index)));
  if (policy.refuseUnlisted === true) {
    const named = indicesOf(all);
    for (const block of blocks.filter(({ Index }) => !named.has(Index))) {
      const code = EvidenceFaults.MEASUREMENT_UNLISTED;
      const [type, measured] = [typeText(block), valueText(block)];
      differences.push({ index: block.Index, type, expected: 'no block', measured, code });
      checks.push(refused(`measurement ${block.Index}`, code, `${type} is in no rule`));
    }
  }
  const referenced = indicesOf(all.filter(isCondition));
  return { checks, differences, referenced, manifest: tried?.fits?.name };
}
