#!/usr/bin/env node
/** The program `tdisp-sim`: the list of its verbs. */

import { register as registerDump } from './dump.ts';
import { processIo } from './io.ts';
import { runProgram } from './program.ts';
import { register as registerRun } from './run.ts';
import { register as registerVerify } from './verify.ts';

await runProgram(process.argv.slice(2), processIo(), [registerRun, registerDump, registerVerify]);
