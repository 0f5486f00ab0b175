/** The program as a process with the verbs of the harness, for what only a process shows. */

import { processIo } from '../../../sim/cli/io.ts';
import { runProgram } from '../../../sim/cli/program.ts';
import { verbs } from './harness.ts';

await runProgram(process.argv.slice(2), processIo(), verbs);
