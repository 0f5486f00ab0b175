/**
 * The IDE extended capability (PCIe Base 6.x clause 7.9.26) around whatever keeps its registers: the
 * streams and their state are the protocol engine's, this only gives them a place in configuration space.
 */

import { LocalError } from '../../protocols/codec/refusal.ts';
import { ExtendedCapabilityIds } from './names.ts';
import type { Capability, Changed, ResetKind } from './register-block.ts';

/** The IDE register block; offsets count from the extended capability header. */
export interface IdeRegisters<R = unknown> {
  /** bytes, header included: it depends on the number of streams and address associations */
  readonly size: number;
  read(offset: number): number;
  write(offset: number, value: number, byteEnable: number): R;
  /** a name for the DW, as `Selective IDE Stream Control 0`; undefined for the offset alone */
  registerName?(offset: number): string | undefined;
  reset?(kind: ResetKind): unknown;
}

export class IdeCapability<R = unknown> implements Capability {
  readonly id = ExtendedCapabilityIds.IDE;
  readonly version: number;
  readonly registers: IdeRegisters<R>;
  readonly #onWrite: (result: R) => void;

  /**
   * @param onWrite receives what each write did, in the engine's terms
   * @throws LocalError unless `registers.size` is a whole number of DWs with the two fixed registers.
   */
  constructor(registers: IdeRegisters<R>, onWrite: (result: R) => void = () => {}, version = 1) {
    if (registers.size % 4 !== 0 || registers.size < 12)
      throw new LocalError(`registers.size: ${registers.size} bytes are no IDE capability`);
    this.registers = registers;
    this.#onWrite = onWrite;
    this.version = version;
  }

  get size(): number {
    return this.registers.size;
  }

  read(offset: number): number {
    return this.registers.read(offset);
  }

  write(offset: number, value: number, byteEnable: number, changed: Changed): void {
    const from = this.registers.read(offset) >>> 0;
    const result = this.registers.write(offset, value, byteEnable);
    const to = this.registers.read(offset) >>> 0;
    if (from !== to) {
      const register =
        this.registers.registerName?.(offset) ?? `IDE+${offset.toString(16).padStart(2, '0')}h`;
      changed({ register, from, to });
    }
    this.#onWrite(result);
  }

  reset(kind: ResetKind): void {
    this.registers.reset?.(kind);
  }
}
