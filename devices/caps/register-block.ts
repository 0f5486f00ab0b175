/**
 * Registers as a table with an access for every bit (PCIe Base 6.x clause 7.4): the ground of the
 * header and of every capability without behaviour of its own. Accesses are DWs with byte enables;
 * bits no field names read 0 and ignore writes.
 */

import { LocalError } from '../../protocols/codec/refusal.ts';

/**
 * RO: hardware writes, software reads. HwInit: the same, and no reset touches it. RW; RW1C: a written 1
 * clears. W1: a written 1 starts something, and the bit reads 0.
 */
export type Access = 'RO' | 'HwInit' | 'RW' | 'RW1C' | 'W1';

/** FLR of the function, or a conventional (fundamental or hot) reset. */
export type ResetKind = 'flr' | 'conventional';

export interface FieldSpec {
  /**
   * the field's own name; empty where it is what there is of the whole register, so that its values
   * stand where the register has them
   */
  readonly name: string;
  readonly lsb: number;
  /** bits; default 1 */
  readonly width?: number;
  readonly access: Access;
  /** value after reset; default 0 */
  readonly reset?: number;
  /** `flr`: FLR leaves it alone; `sticky`: so does a conventional reset */
  readonly survives?: 'flr' | 'sticky';
  /** RW only: whether the written value is one the function has; others are discarded */
  readonly accept?: (value: number) => boolean;
}

export interface RegisterSpec {
  readonly name: string;
  /** byte offset from the start of the block */
  readonly offset: number;
  readonly bytes: 1 | 2 | 3 | 4;
  readonly fields: readonly FieldSpec[];
}

/** A field that a write gave another value; `register` is `Command.MSE`, or `BAR0` for a whole one. */
export interface RegisterChange {
  readonly register: string;
  readonly from: number;
  readonly to: number;
}
export type Changed = (change: RegisterChange) => void;

/** Something that stands in configuration space; offsets count from its own start, in whole DWs. */
export interface Capability {
  readonly id: number;
  /** extended capabilities: version of the header */
  readonly version?: number;
  /** bytes, header included */
  readonly size: number;
  /** the DW at `offset`; the bits of the header that the list owns are ignored */
  read(offset: number): number;
  /** writes the bytes that `byteEnable` (bit 0 for bits 7:0) names, reporting each field that changed */
  write(offset: number, value: number, byteEnable: number, changed: Changed): void;
  reset(kind: ResetKind): void;
}

interface Slot {
  readonly name: string;
  readonly dw: number;
  /** where bit 0 of the value stands in the DW */
  readonly shift: number;
  readonly mask: number;
  readonly spec: FieldSpec;
}

/** One whole register of one access. */
export function whole(
  name: string,
  offset: number,
  bytes: 1 | 2 | 3 | 4,
  access: Access,
  reset = 0,
): RegisterSpec {
  return { name, offset, bytes, fields: [{ name: '', lsb: 0, width: bytes * 8, access, reset }] };
}

/** Mask of `width` bits at bit 0; `width` 32 included. */
export function ones(width: number): number {
  return (2 ** width - 1) >>> 0;
}

/** The bits that four byte enables cover. */
export function byteMask(byteEnable: number): number {
  let mask = 0;
  for (let byte = 0; byte < 4; byte++)
    if ((byteEnable & (1 << byte)) !== 0) mask |= 0xff << (8 * byte);
  return mask >>> 0;
}

export class RegisterBlock {
  readonly size: number;
  readonly #values: Uint32Array;
  readonly #slots: readonly (readonly Slot[])[];
  readonly #byName = new Map<string, Slot>();
  readonly #onTrigger: (register: string) => void;

  /**
   * @param size bytes of the block
   * @param onTrigger called with the name of a W1 field that was written 1
   * @throws LocalError on fields that overlap, share a name or leave the block.
   */
  constructor(
    size: number,
    registers: readonly RegisterSpec[],
    onTrigger: (register: string) => void = () => {},
  ) {
    this.size = (size + 3) & ~3;
    this.#values = new Uint32Array(this.size / 4);
    const slots: Slot[][] = Array.from(this.#values, () => []);
    const used = new Uint32Array(this.#values.length);
    for (const register of registers)
      for (const spec of register.fields) {
        const slot = slotOf(register, spec);
        if (
          slot.dw >= used.length ||
          this.#byName.has(slot.name) ||
          (used[slot.dw]! & slot.mask) !== 0
        )
          throw new LocalError(`registers: ${slot.name} does not fit or is there twice`);
        used[slot.dw]! |= slot.mask;
        slots[slot.dw]!.push(slot);
        this.#byName.set(slot.name, slot);
        this.#put(slot, spec.reset ?? 0);
      }
    this.#slots = slots;
    this.#onTrigger = onTrigger;
  }

  /** The DW at `offset`; 0 where there is no register. */
  read(offset: number): number {
    return this.#values[offset >>> 2] ?? 0;
  }

  /** A write by software. */
  write(offset: number, value: number, byteEnable: number, changed: Changed): void {
    const enabled = byteMask(byteEnable);
    const triggered: string[] = [];
    for (const slot of this.#slots[offset >>> 2] ?? []) {
      const mask = slot.mask & enabled;
      if (mask === 0) continue;
      const { access, accept } = slot.spec;
      const old = (this.#values[slot.dw]! & slot.mask) >>> 0;
      if (access === 'W1') {
        if ((value & mask) !== 0) triggered.push(slot.name);
        continue;
      }
      let next = old;
      if (access === 'RW') next = ((old & ~mask) | (value & mask)) >>> 0;
      else if (access === 'RW1C') next = (old & ~(value & mask)) >>> 0;
      if (next === old || accept?.(next >>> slot.shift) === false) continue;
      this.#values[slot.dw] = (this.#values[slot.dw]! & ~slot.mask) | next;
      changed({ register: slot.name, from: old >>> slot.shift, to: next >>> slot.shift });
    }
    for (const name of triggered) this.#onTrigger(name);
  }

  /** @throws LocalError if there is no field of that name. */
  get(register: string): number {
    const slot = this.#slot(register);
    return (this.#values[slot.dw]! & slot.mask) >>> slot.shift;
  }

  /**
   * A write by hardware, whatever the access; reported to nobody.
   * @throws LocalError if there is no field of that name or `value` does not fit.
   */
  set(register: string, value: number): void {
    const slot = this.#slot(register);
    if (!Number.isInteger(value) || value < 0 || value > slot.mask >>> slot.shift)
      throw new LocalError(`value: ${value} does not fit ${register}`);
    this.#put(slot, value);
  }

  has(register: string): boolean {
    return this.#byName.has(register);
  }

  reset(kind: ResetKind): void {
    for (const slot of this.#byName.values()) {
      const { access, survives, reset } = slot.spec;
      if (access === 'HwInit' || survives === 'sticky') continue;
      if (kind === 'flr' && survives === 'flr') continue;
      this.#put(slot, reset ?? 0);
    }
  }

  #slot(register: string): Slot {
    const slot = this.#byName.get(register);
    if (slot === undefined) throw new LocalError(`register: no ${register} here`);
    return slot;
  }

  #put(slot: Slot, value: number): void {
    this.#values[slot.dw] =
      (this.#values[slot.dw]! & ~slot.mask) | ((value << slot.shift) & slot.mask);
  }
}

function slotOf(register: RegisterSpec, spec: FieldSpec): Slot {
  const lsb = (register.offset & 3) * 8 + spec.lsb;
  const width = spec.width ?? 1;
  if (spec.lsb + width > register.bytes * 8 || lsb + width > 32)
    throw new LocalError(`registers: ${register.name}.${spec.name} leaves its register`);
  return {
    name: spec.name === '' ? register.name : `${register.name}.${spec.name}`,
    dw: register.offset >>> 2,
    shift: spec.name === '' ? lsb - spec.lsb : lsb,
    mask: (ones(width) << lsb) >>> 0,
    spec,
  };
}

/** A capability that is nothing but a table; its header bits belong to the list it stands in. */
export class RegisterCapability implements Capability {
  readonly id: number;
  readonly size: number;
  readonly registers: RegisterBlock;

  constructor(
    id: number,
    size: number,
    registers: readonly RegisterSpec[],
    onTrigger?: (register: string) => void,
  ) {
    this.id = id;
    this.registers = new RegisterBlock(size, registers, onTrigger);
    this.size = this.registers.size;
  }

  read(offset: number): number {
    return this.registers.read(offset);
  }

  write(offset: number, value: number, byteEnable: number, changed: Changed): void {
    this.registers.write(offset, value, byteEnable, changed);
  }

  reset(kind: ResetKind): void {
    this.registers.reset(kind);
  }
}
