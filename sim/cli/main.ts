#!/usr/bin/env node
/** The program `tdisp-sim`: the list of its verbs. */

import { register as registerAttach } from './attach.ts';
import { register as registerBench } from './bench.ts';
import { register as registerDump } from './dump.ts';
import { processIo } from './io.ts';
import { runProgram } from './program.ts';
import { register as registerRun } from './run.ts';
import { register as registerServe } from './serve.ts';
import { register as registerVerify } from './verify.ts';

await runProgram(process.argv.slice(2), processIo(), [
  registerRun,
  registerServe,
  registerAttach,
  registerDump,
  registerVerify,
  registerBench,
]);
