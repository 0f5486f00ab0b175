/** The benchmarks there are. */

import type { Benchmark } from './frame/benchmark.ts';
import { handshake } from './handshake/handshake.ts';

export const benchmarks: readonly Benchmark[] = [handshake];
