/** The checkers of every run. */

import type { HostMemory } from '../../devices/memory.ts';
import type { SimRecords } from '../../devices/records.ts';
import type { Kernel } from '../kernel/index.ts';
import type { Checker } from './checker.ts';
import { DmaComplete } from './dma-complete.ts';
import { NoPlaintext } from './no-plaintext.ts';
import { RunImpliesSecure } from './run-implies-secure.ts';
import { TeeDmaInRun } from './tee-dma-in-run.ts';
import { UniqueIv } from './unique-iv.ts';

export type { Checker, Violation } from './checker.ts';

export interface Watched {
  readonly kernel: Kernel<SimRecords>;
  readonly memory: HostMemory;
  /** names the ports' records carry */
  readonly endpointPort: string;
  readonly rootPort: string;
}

export function attachCheckers({ kernel, memory, ...names }: Watched): readonly Checker[] {
  return [
    new NoPlaintext(kernel),
    new UniqueIv(kernel),
    new TeeDmaInRun(kernel),
    new RunImpliesSecure(kernel, names.endpointPort),
    new DmaComplete(kernel, memory, names.rootPort),
  ];
}
