/**
 * A sorted run of (time, tie, slot): taken from the front, extended at the back. The event queue sorts
 * one bucket into it at a time; what then arrives in order is appended in one step.
 */

const CAPACITY_START = 256;
/** blocks of this many entries are sorted by insertion, longer ones by merging such blocks */
const BLOCK = 24;

interface Columns {
  time: Float64Array;
  tie: Float64Array;
  slot: Int32Array;
}

function columns(capacity: number): Columns {
  return {
    time: new Float64Array(capacity),
    tie: new Float64Array(capacity),
    slot: new Int32Array(capacity),
  };
}

export class SortedRun {
  head = 0;
  tail = 0;
  time: Float64Array;
  tie: Float64Array;
  slot: Int32Array;
  private scratch: Columns = columns(0);

  constructor() {
    ({ time: this.time, tie: this.tie, slot: this.slot } = columns(CAPACITY_START));
  }

  /** Appends if the key is not below the last one; false if it does not fit there. */
  append(time: number, tie: number, slot: number): boolean {
    const tail = this.tail;
    if (tail === this.head) {
      this.head = 0;
      this.tail = 0;
    } else {
      const last = this.time[tail - 1]!;
      if (time < last || (time === last && tie < this.tie[tail - 1]!)) return false;
    }
    this.add(time, tie, slot);
    return true;
  }

  /** Appends without looking at order; `sort` must follow. */
  add(time: number, tie: number, slot: number): void {
    if (this.tail === this.time.length) this.makeRoom();
    const at = this.tail++;
    this.time[at] = time;
    this.tie[at] = tie;
    this.slot[at] = slot;
  }

  /** Sorts what the run holds; linear if it is in order already, as equal times always are. */
  sort(): void {
    const size = this.tail - this.head;
    if (this.inOrder()) return;
    for (let from = this.head; from < this.tail; from += BLOCK)
      this.insertionSort(from, Math.min(from + BLOCK, this.tail));
    if (size > BLOCK) this.mergeBlocks();
  }

  private inOrder(): boolean {
    const { time, tie } = this;
    for (let i = this.head + 1; i < this.tail; i++) {
      const step = time[i]! - time[i - 1]!;
      if (step < 0 || (step === 0 && tie[i]! < tie[i - 1]!)) return false;
    }
    return true;
  }

  private insertionSort(from: number, to: number): void {
    const { time: times, tie: ties, slot: slots } = this;
    for (let i = from + 1; i < to; i++) {
      const time = times[i]!;
      const tie = ties[i]!;
      const slot = slots[i]!;
      let at = i;
      while (at > from) {
        const before = times[at - 1]!;
        if (before < time || (before === time && ties[at - 1]! < tie)) break;
        times[at] = before;
        ties[at] = ties[at - 1]!;
        slots[at] = slots[at - 1]!;
        at--;
      }
      times[at] = time;
      ties[at] = tie;
      slots[at] = slot;
    }
  }

  /** Bottom-up merge sort over sorted blocks, between this run's columns and the scratch ones. */
  private mergeBlocks(): void {
    const capacity = this.time.length;
    if (this.scratch.time.length < capacity) this.scratch = columns(capacity);
    for (let width = BLOCK; width < this.tail - this.head; width *= 2) {
      const { time, tie, slot, scratch } = this;
      for (let from = this.head; from < this.tail; from += 2 * width) {
        const middle = Math.min(from + width, this.tail);
        merge(this, scratch, from, middle, Math.min(from + 2 * width, this.tail));
      }
      ({ time: this.time, tie: this.tie, slot: this.slot } = scratch);
      this.scratch = { time, tie, slot };
    }
  }

  private makeRoom(): void {
    const { head, tail, time, tie, slot } = this;
    // At least half of it is taken already: moving down is paid for by those.
    if (head * 2 < tail) {
      const larger = columns(time.length * 2);
      ({ time: this.time, tie: this.tie, slot: this.slot } = larger);
    }
    this.time.set(time.subarray(head, tail));
    this.tie.set(tie.subarray(head, tail));
    this.slot.set(slot.subarray(head, tail));
    this.head = 0;
    this.tail = tail - head;
  }
}

/** Merges [from, middle) and [middle, to) of `a` into the same places of `b`. */
function merge(a: Columns, b: Columns, from: number, middle: number, to: number): void {
  const { time, tie, slot } = a;
  const { time: timeOut, tie: tieOut, slot: slotOut } = b;
  let left = from;
  let right = middle;
  for (let at = from; at < to; at++) {
    let pick: number;
    if (left === middle) pick = right++;
    else if (right === to) pick = left++;
    else {
      const step = time[right]! - time[left]!;
      pick = step < 0 || (step === 0 && tie[right]! < tie[left]!) ? right++ : left++;
    }
    timeOut[at] = time[pick]!;
    tieOut[at] = tie[pick]!;
    slotOut[at] = slot[pick]!;
  }
}
