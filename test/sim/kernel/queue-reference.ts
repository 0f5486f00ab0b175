/** The event queue written the plain way: a sorted array, searched from the end. The tests' oracle. */

export interface ReferenceEvent {
  readonly id: number;
  readonly time: number;
  readonly priority: number;
  readonly sequence: number;
}

function before(a: ReferenceEvent, b: ReferenceEvent): boolean {
  if (a.time !== b.time) return a.time < b.time;
  if (a.priority !== b.priority) return a.priority < b.priority;
  return a.sequence < b.sequence;
}

export class ReferenceQueue {
  private readonly events: ReferenceEvent[] = [];
  private sequence = 0;

  get size(): number {
    return this.events.length;
  }

  push(id: number, time: number, priority: number): void {
    const event = { id, time, priority, sequence: this.sequence++ };
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.events[middle]!, event)) low = middle + 1;
      else high = middle;
    }
    this.events.splice(low, 0, event);
  }

  pop(until: number = Number.POSITIVE_INFINITY): ReferenceEvent | undefined {
    const first = this.events[0];
    if (first === undefined || first.time > until) return undefined;
    return this.events.shift();
  }

  peekTime(): number {
    return this.events[0]?.time ?? Number.POSITIVE_INFINITY;
  }

  cancel(id: number): boolean {
    const at = this.events.findIndex((event) => event.id === id);
    if (at < 0) return false;
    this.events.splice(at, 1);
    return true;
  }
}
