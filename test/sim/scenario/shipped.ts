/** The shipped scenario and profile, for tests that change a line of them and see what becomes of it. */

import { readFileSync } from 'node:fs';
import { load, problemText } from '../../../sim/scenario/load.ts';
import {
  type DeviceProfile,
  profileSchema,
  type Scenario,
  scenarioSchema,
} from '../../../sim/scenario/schema.ts';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
export const scenarioText = read('sim/scenario/library/default.yaml');
export const profileText = read('devices/profiles/tee-accelerator.yaml');

type Edit = readonly [from: string, to: string];

function edited(text: string, edits: readonly Edit[]): string {
  return edits.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`edits: the text has no "${from}"`);
    return before.replace(from, to);
  }, text);
}

/** The default scenario with pieces of its text replaced. */
export function scenarioWith(...edits: Edit[]): Scenario {
  const loaded = load(edited(scenarioText, edits), 'default.yaml', scenarioSchema);
  if (!loaded.ok) throw new Error(loaded.problems.map(problemText).join('\n'));
  return loaded.value;
}

/** The shipped profile, likewise. */
export function profileWith(...edits: Edit[]): DeviceProfile {
  const loaded = load(edited(profileText, edits), 'tee-accelerator.yaml', profileSchema);
  if (!loaded.ok) throw new Error(loaded.problems.map(problemText).join('\n'));
  return loaded.value;
}

/** The chapters of a story as YAML, in place of the shipped ones. */
export function storyOf(...steps: string[]): Scenario {
  const head = scenarioText.slice(0, scenarioText.indexOf('story:'));
  const body = steps.map((step) => `      - ${step}\n`).join('');
  const loaded = load(`${head}story:\n  - chapter: test\n    steps:\n${body}`, 't', scenarioSchema);
  if (!loaded.ok) throw new Error(loaded.problems.map(problemText).join('\n'));
  return loaded.value;
}

/** Steps that bring the TDI of the shipped scenario to RUN. */
export const toRun = [
  'enumerate',
  'authenticate',
  'open-session',
  'secure-link: { stream-id: 1 }',
  'lock',
  'check-report',
  'accept',
  'start',
] as const;
