/**
 * Walks the register blocks of an IDE Extended Capability (PCIe Base 6.x clause 7.9.26), as a host
 * reads them from config space or from QUERY_RESP. Selective blocks may differ in the number of their
 * address associations, so each block's place follows from all blocks before it.
 */

import { type Decoded, RefusalCodes, refuse } from '../codec/refusal.ts';
import {
  type AddressAssociation,
  decodeAddressAssociation,
  decodeRidAssociation,
  field,
  fieldsOf,
  IdeCapability,
  IdeControl,
  IdeOffsets,
  type Register,
  type RidAssociation,
  SelectiveCapability,
  StreamControl,
  StreamStatus,
} from './registers.ts';

type FieldsOf<R extends Register> = { readonly [K in keyof R]: number };

export interface LinkBlock {
  /** byte offset of the block in the capability */
  readonly offset: number;
  readonly control: FieldsOf<typeof StreamControl>;
  readonly status: FieldsOf<typeof StreamStatus>;
}
export interface SelectiveBlock extends LinkBlock {
  readonly capability: FieldsOf<typeof SelectiveCapability>;
  readonly rid: RidAssociation;
  readonly addresses: readonly AddressAssociation[];
}
export interface IdeRegisters {
  readonly capability: FieldsOf<typeof IdeCapability>;
  readonly control: FieldsOf<typeof IdeControl>;
  readonly link: readonly LinkBlock[];
  readonly selective: readonly SelectiveBlock[];
}

const FIRST_OFFSET = IdeOffsets.CAPABILITY;
const BLOCKS_DW = (IdeOffsets.BLOCKS - FIRST_OFFSET) / 4;
const LINK_DW = IdeOffsets.LINK_BLOCK_SIZE / 4;
const SELECTIVE_DW = IdeOffsets.SELECTIVE_BLOCK_SIZE / 4;
const ADDRESS_DW = IdeOffsets.ADDRESS_BLOCK_SIZE / 4;

/** Numbers of Link and Selective blocks an IDE Capability register announces. */
export function blockCounts(capability: number): { link: number; selective: number } {
  const f = fieldsOf(IdeCapability, capability);
  return {
    link: f.LinkIdeStreamSupported === 1 ? f.NumberOfTcsSupportedForLinkIde + 1 : 0,
    selective:
      f.SelectiveIdeStreamsSupported === 1 ? f.NumberOfSelectiveIdeStreamsSupported + 1 : 0,
  };
}

/** DW index of each selective block's start as far as `dwords` tell, and the DWs known to exist. */
function walk(dwords: ArrayLike<number>): { starts: number[]; needed: number } {
  if (dwords.length === 0) return { starts: [], needed: BLOCKS_DW };
  const { link, selective } = blockCounts(dwords[0]!);
  const starts: number[] = [];
  let at = BLOCKS_DW + link * LINK_DW;
  for (let i = 0; i < selective; i++) {
    starts.push(at);
    if (at >= dwords.length) return { starts, needed: at + SELECTIVE_DW };
    const n = field(dwords[at]!, SelectiveCapability.NumberOfAddressAssociationRegisterBlocks);
    at += SELECTIVE_DW + n * ADDRESS_DW;
  }
  return { starts, needed: at };
}

/**
 * How many DWs, counted from the IDE Capability register (04h), a reader is certain to need, given
 * those it has: read on until the answer is the number it has. Starts with an empty array.
 */
export function ideDwordsNeeded(dwords: ArrayLike<number>): number {
  return walk(dwords).needed;
}

function linkBlock(dwords: ArrayLike<number>, at: number, control: number): LinkBlock {
  return {
    offset: FIRST_OFFSET + at * 4,
    control: fieldsOf(StreamControl, dwords[control]!),
    status: fieldsOf(StreamStatus, dwords[control + 1]!),
  };
}

function selectiveBlock(dwords: ArrayLike<number>, at: number): SelectiveBlock {
  const capability = fieldsOf(SelectiveCapability, dwords[at]!);
  const addresses: AddressAssociation[] = [];
  for (let i = 0; i < capability.NumberOfAddressAssociationRegisterBlocks; i++) {
    const a = at + SELECTIVE_DW + i * ADDRESS_DW;
    addresses.push(decodeAddressAssociation(dwords[a]!, dwords[a + 1]!, dwords[a + 2]!));
  }
  const rid = decodeRidAssociation(dwords[at + 3]!, dwords[at + 4]!);
  return { ...linkBlock(dwords, at, at + 1), capability, rid, addresses };
}

/**
 * The registers of a port from its DWs, the IDE Capability register (04h) first, as config reads or
 * QUERY_RESP give them. Refuses fewer or more DWs than the blocks take; offsets in refusals are bytes
 * from the IDE Capability register.
 */
export function parseIdeCapability(dwords: ArrayLike<number>): Decoded<IdeRegisters> {
  const { starts, needed } = walk(dwords);
  const size = dwords.length * 4;
  if (dwords.length < needed)
    return refuse(RefusalCodes.TRUNCATED, 'IdeRegisters', size, `needs ${needed} DWs`);
  if (dwords.length > needed)
    return refuse(RefusalCodes.TRAILING, 'IdeRegisters', needed * 4, `${needed} DWs expected`);
  const { link } = blockCounts(dwords[0]!);
  const value: IdeRegisters = {
    capability: fieldsOf(IdeCapability, dwords[0]!),
    control: fieldsOf(IdeControl, dwords[1]!),
    link: Array.from({ length: link }, (_, i) => {
      const at = BLOCKS_DW + i * LINK_DW;
      return linkBlock(dwords, at, at);
    }),
    selective: starts.map((at) => selectiveBlock(dwords, at)),
  };
  return { ok: true, value, size };
}
