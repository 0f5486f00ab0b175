/**
 * A 4-ary min-heap of (time, tie, slot) in typed arrays: the part of the event queue that takes what
 * arrives out of order. Four children share a cache line or two, and a hole moves instead of a swap.
 */

const CAPACITY_START = 256;

export class EventHeap {
  size = 0;
  time = new Float64Array(CAPACITY_START);
  tie = new Float64Array(CAPACITY_START);
  slot = new Int32Array(CAPACITY_START);

  push(time: number, tie: number, slot: number): void {
    if (this.size === this.time.length) this.grow();
    const { time: times, tie: ties, slot: slots } = this;
    let hole = this.size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      const parentTime = times[parent]!;
      if (parentTime < time || (parentTime === time && ties[parent]! < tie)) break;
      times[hole] = parentTime;
      ties[hole] = ties[parent]!;
      slots[hole] = slots[parent]!;
      hole = parent;
    }
    times[hole] = time;
    ties[hole] = tie;
    slots[hole] = slot;
  }

  /** Removes the least entry and returns its slot; the heap must not be empty. */
  pop(): number {
    const { time: times, tie: ties, slot: slots } = this;
    const top = slots[0]!;
    const last = --this.size;
    if (last === 0) return top;
    const time = times[last]!;
    const tie = ties[last]!;
    let hole = 0;
    for (;;) {
      let child = hole * 4 + 1;
      if (child >= last) break;
      const end = Math.min(child + 4, last);
      let least = child;
      let leastTime = times[child]!;
      for (child++; child < end; child++) {
        const childTime = times[child]!;
        if (childTime < leastTime || (childTime === leastTime && ties[child]! < ties[least]!)) {
          least = child;
          leastTime = childTime;
        }
      }
      if (leastTime > time || (leastTime === time && ties[least]! > tie)) break;
      times[hole] = leastTime;
      ties[hole] = ties[least]!;
      slots[hole] = slots[least]!;
      hole = least;
    }
    times[hole] = time;
    ties[hole] = tie;
    slots[hole] = slots[last]!;
    return top;
  }

  private grow(): void {
    const capacity = this.time.length * 2;
    const { time, tie, slot } = this;
    this.time = new Float64Array(capacity);
    this.tie = new Float64Array(capacity);
    this.slot = new Int32Array(capacity);
    this.time.set(time);
    this.tie.set(tie);
    this.slot.set(slot);
  }
}
