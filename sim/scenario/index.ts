/** Scenarios: read them, build their machine, play their story. */

export { type InputProblem, type Loaded, load, problemText } from './load.ts';
export { buildPlatform, type Platform } from './platform.ts';
export { type Finding, type RunOptions, type RunSummary, runScenario, ScenarioRun } from './run.ts';
export {
  type DeviceProfile,
  profileSchema,
  type Scenario,
  type Step,
  scenarioSchema,
  type Verb,
  verbs,
} from './schema.ts';
