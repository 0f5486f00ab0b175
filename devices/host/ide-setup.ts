/**
 * IDE registers as the host programs them, by configuration writes to both ports of a selective
 * stream: associations and Stream ID first, with Enable clear, since some devices want to know the
 * Stream ID before they take keys; Enable after the keys are in (as Linux drivers/pci/ide.c does).
 */

import { type PeerFault, peerFault, refusalText } from '../../protocols/codec/refusal.ts';
import {
  encodeAddressAssociation,
  encodeRidAssociation,
  ideDwordsNeeded,
  parseIdeCapability,
  registerValue,
  StatusStates,
  StreamControl,
} from '../../protocols/ide/index.ts';
import type { Task } from '../../sim/kernel/index.ts';
import { CONFIG_BYTES } from '../config-space.ts';
import type { RootComplex } from '../root-complex.ts';

/** One end of a selective stream, as found by reading its capability. */
export interface IdeEnd {
  readonly rid: number;
  /** config offset of the IDE extended capability */
  readonly base: number;
  /** offset of the selective block from the capability */
  readonly block: number;
  readonly addressAssociations: number;
}

export interface StreamPlan {
  readonly streamId: number;
  /** Requester IDs at the other end, inclusive */
  readonly partner: { readonly base: number; readonly limit: number };
  /** memory at the other end; empty at an endpoint */
  readonly windows: readonly { readonly base: number; readonly limit: number }[];
  readonly defaultStream: boolean;
}

const FIRST_REGISTER = 0x04;
const CONTROL = 0x04;
const STATUS = 0x08;
const RID_1 = 0x0c;
const ADDRESS_FIRST = 0x14;
const ADDRESS_BLOCK = 12;
const STATE_MASK = 0xf;

/** Reads a port's IDE capability and picks its first selective block. */
export function* findEnd(
  complex: RootComplex,
  rid: number,
  base: number,
): Task<IdeEnd | PeerFault> {
  const dwords: number[] = [];
  for (
    let needed = ideDwordsNeeded(dwords);
    dwords.length < needed;
    needed = ideDwordsNeeded(dwords)
  ) {
    const register = base + FIRST_REGISTER + 4 * dwords.length;
    // A device that is gone answers all ones: as many streams as a capability can name.
    if (register >= CONFIG_BYTES)
      return peerFault('IDE_CAPABILITY', 'runs past the end of configuration space');
    dwords.push(yield* complex.configRead(rid, register));
  }
  const parsed = parseIdeCapability(dwords);
  if (!parsed.ok) return peerFault('IDE_CAPABILITY', refusalText(parsed));
  const first = parsed.value.selective[0];
  if (first === undefined || parsed.value.capability.IdeKmProtocolSupported === 0)
    return peerFault('IDE_UNSUPPORTED', 'no selective stream, or no IDE_KM');
  return { rid, base, block: first.offset, addressAssociations: first.addresses.length };
}

const controlOf = (plan: StreamPlan, enable: boolean) =>
  registerValue(StreamControl, {
    Enable: enable ? 1 : 0,
    StreamId: plan.streamId,
    DefaultStream: plan.defaultStream ? 1 : 0,
  });

/** Associations, then Control with Enable clear. */
export function* programEnd(complex: RootComplex, end: IdeEnd, plan: StreamPlan): Task<void> {
  const at = end.base + end.block;
  const [limit, base] = encodeRidAssociation(plan.partner);
  yield* complex.configWrite(end.rid, at + RID_1, limit);
  yield* complex.configWrite(end.rid, at + RID_1 + 4, base);
  for (let i = 0; i < end.addressAssociations; i++) {
    const window = plan.windows[i];
    const dws = window === undefined ? [0, 0, 0] : encodeAddressAssociation(window);
    for (const [j, dw] of dws.entries())
      yield* complex.configWrite(end.rid, at + ADDRESS_FIRST + ADDRESS_BLOCK * i + 4 * j, dw);
  }
  yield* complex.configWrite(end.rid, at + CONTROL, controlOf(plan, false));
}

/** Sets or clears Enable. */
export function* enableEnd(
  complex: RootComplex,
  end: IdeEnd,
  plan: StreamPlan,
  enable: boolean,
): Task<void> {
  yield* complex.configWrite(end.rid, end.base + end.block + CONTROL, controlOf(plan, enable));
}

/** Status says Secure. */
export function* isSecure(complex: RootComplex, end: IdeEnd): Task<boolean> {
  const status = yield* complex.configRead(end.rid, end.base + end.block + STATUS);
  return (status & STATE_MASK) === StatusStates.SECURE;
}

/** Clears Control, associations and the record of a failed check. */
export function* clearEnd(complex: RootComplex, end: IdeEnd): Task<void> {
  const at = end.base + end.block;
  yield* complex.configWrite(end.rid, at + CONTROL, 0);
  yield* complex.configWrite(end.rid, at + STATUS, 0x80000000);
  for (let i = 0; i < end.addressAssociations * 3; i++)
    yield* complex.configWrite(end.rid, at + ADDRESS_FIRST + 4 * i, 0);
  yield* complex.configWrite(end.rid, at + RID_1 + 4, 0);
  yield* complex.configWrite(end.rid, at + RID_1, 0);
}
