/** Finds and reads what `run` is given: a scenario file or the name of a shipped one, and its profile. */

import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { load, problemText } from '../scenario/load.ts';
import {
  type DeviceProfile,
  profileSchema,
  type Scenario,
  scenarioSchema,
} from '../scenario/schema.ts';
import { type Io, readText, UsageError } from './io.ts';
import { PROFILE_FOLDER, shippedFile, shippedScenario } from './package-root.ts';

const PROBLEMS_SHOWN = 8;

function loadFile<S extends z.ZodType>(io: Io, path: string, schema: S): z.infer<S> {
  const loaded = load(readText(io, path), path, schema);
  if (loaded.ok) return loaded.value;
  const lines = loaded.problems.slice(0, PROBLEMS_SHOWN).map(problemText);
  const more = loaded.problems.length - lines.length;
  if (more > 0) lines.push(`and ${more} more`);
  throw new UsageError(lines.join('; '));
}

export interface RunInput {
  readonly scenario: Scenario;
  readonly profile: DeviceProfile;
}

/** `name`: a path, or a shipped scenario's name. @throws UsageError that says file, line and path */
export function readRunInput(io: Io, name: string): RunInput {
  const path = shippedScenario(name) ?? name;
  const scenario = loadFile(io, path, scenarioSchema);
  const wanted = scenario.device.profile;
  const isFile = /[./\\]/.test(wanted);
  const profilePath = isFile
    ? join(dirname(path), wanted)
    : shippedFile(PROFILE_FOLDER, `${wanted}.yaml`);
  const profile = loadFile(io, profilePath, profileSchema);
  return { scenario, profile };
}
