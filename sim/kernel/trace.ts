/**
 * The trace bus: what happens in a run, as typed records in one order. Emitting costs one check while
 * nobody listens. Listeners only look; a record emitted by a listener is delivered after the one at
 * hand, so that every listener sees the same order.
 */

/** A record map: kind -> data. A model declares its own interface and gives it to the kernel. */
export interface TraceRecords {
  [kind: string]: object;
}
/** What a record map must look like; interfaces without an index signature fit too. */
export type RecordMap<R> = { [K in keyof R]: object };

export interface TraceRecord<K extends string = string, D = object> {
  /** simulated time, ps */
  readonly time: number;
  /** counts the records delivered on this bus, from 0 */
  readonly sequence: number;
  /** name of the component that emitted it */
  readonly source: string;
  readonly kind: K;
  readonly data: D;
}
/** Every record of the map, told apart by `kind`. */
export type AnyRecord<R> = {
  [K in keyof R & string]: TraceRecord<K, R[K]>;
}[keyof R & string];
export type TraceListener<T> = (record: T) => void;

const ALL = '*';

export class TraceBus<R extends RecordMap<R> = TraceRecords> {
  private readonly clock: { readonly now: number };
  private readonly listeners = new Map<string, readonly TraceListener<TraceRecord>[]>();
  private listening = 0;
  private sequence = 0;
  private backlog: TraceRecord[] = [];
  private delivering = false;

  constructor(clock: { readonly now: number }) {
    this.clock = clock;
  }

  /** Whether anybody would see a record of this kind: ask before building expensive data. */
  wants(kind: keyof R & string): boolean {
    return this.listening > 0 && (this.listeners.has(ALL) || this.listeners.has(kind));
  }

  /** Delivers a record to its kind's listeners and to those of all kinds, in order of subscription. */
  emit<K extends keyof R & string>(kind: K, source: string, data: R[K]): void {
    if (this.listening === 0) return;
    if (!this.wants(kind)) return;
    const record = { time: this.clock.now, sequence: this.sequence++, source, kind, data };
    this.backlog.push(record);
    if (!this.delivering) this.deliver();
  }

  /** Listens to one kind, or to all with `'*'`; call the result to stop. */
  on(kind: typeof ALL, listener: TraceListener<AnyRecord<R>>): () => void;
  on<K extends keyof R & string>(
    kind: K,
    listener: TraceListener<TraceRecord<K, R[K]>>,
  ): () => void;
  on(kind: string, listener: TraceListener<never>): () => void {
    // Lists are replaced, never changed: a delivery under way keeps the one it started with.
    const entry: TraceListener<TraceRecord> = (record) => listener(record as never);
    this.listeners.set(kind, [...(this.listeners.get(kind) ?? []), entry]);
    this.listening++;
    return () => this.off(kind, entry);
  }

  private off(kind: string, entry: TraceListener<TraceRecord>): void {
    const before = this.listeners.get(kind) ?? [];
    if (!before.includes(entry)) return;
    const after = before.filter((other) => other !== entry);
    if (after.length === 0) this.listeners.delete(kind);
    else this.listeners.set(kind, after);
    this.listening--;
  }

  private deliver(): void {
    this.delivering = true;
    try {
      for (let i = 0; i < this.backlog.length; i++) {
        const record = this.backlog[i]!;
        for (const listener of this.listeners.get(record.kind) ?? []) listener(record);
        if (record.kind !== ALL)
          for (const listener of this.listeners.get(ALL) ?? []) listener(record);
      }
    } finally {
      this.backlog = [];
      this.delivering = false;
    }
  }
}
