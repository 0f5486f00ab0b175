/**
 * What a TDI lets through, as tables (PCIe Base 6.x 11.2.4): memory requests to it by T bit and state,
 * and the T bit of what it sends itself.
 */

import type { TdiState } from '../protocols/tdisp/index.ts';

/** How a memory request to TEE MMIO arrived. */
export type Access = 'tee-bound' | 'other';
export type GateVerdict = 'accept' | 'reject';

/**
 * Requests to TEE memory. `tee-bound`: T=1 on the stream the TDI is bound to. In CONFIG_UNLOCKED no
 * stream is bound and there is no TEE memory yet, so whatever comes is ordinary.
 */
export const completerTable: Readonly<Record<TdiState, Readonly<Record<Access, GateVerdict>>>> = {
  CONFIG_UNLOCKED: { 'tee-bound': 'accept', other: 'accept' },
  CONFIG_LOCKED: { 'tee-bound': 'reject', other: 'reject' },
  RUN: { 'tee-bound': 'accept', other: 'reject' },
  ERROR: { 'tee-bound': 'reject', other: 'reject' },
};

/**
 * T of memory requests a TDI sends; undefined: it sends none. The specification lets a TDI in ERROR
 * finish with T=1; this one stops.
 */
export const requesterTable: Readonly<Record<TdiState, boolean | undefined>> = {
  CONFIG_UNLOCKED: false,
  CONFIG_LOCKED: undefined,
  RUN: true,
  ERROR: undefined,
};
