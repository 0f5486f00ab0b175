/** The engines that the verbs are wired to: the ones of this repository. */

import { attachFlow } from './attach-flow.ts';
import type { Engines } from './engines.ts';
import { makeResponder } from './responder-engine.ts';

export const engines: Engines = { makeResponder, attachFlow };
