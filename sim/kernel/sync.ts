/**
 * What processes share: signals, resources with a first-come queue, mailboxes. Whatever they grant
 * reaches the process through the event queue, in the order it was granted.
 */

import { KernelError, KernelErrorCodes } from './errors.ts';
import { Fifo } from './fifo.ts';
import { type Cancellable, NOTHING_TO_CANCEL, type Task, Wait, type Waiter } from './wait.ts';

function positive(name: string, value: number): number {
  if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value > 0))
    return value;
  throw new KernelError(
    KernelErrorCodes.BAD_ARGUMENT,
    `${name}: expected a positive integer, got ${value}`,
  );
}

class SignalWait<T> extends Wait<T> {
  private readonly signal: Signal<T>;

  constructor(signal: Signal<T>) {
    super();
    this.signal = signal;
  }

  override arm(waiter: Waiter): Cancellable {
    return this.signal.arm(waiter);
  }
}

/**
 * An event that processes wait for. By default it repeats: `fire` wakes those who wait now and is
 * forgotten. With `once` the first value stays, and whoever waits later has it right away.
 */
export class Signal<T = void> {
  private readonly once: boolean;
  private readonly waiters = new Set<Waiter>();
  private fired = false;
  private last: T | undefined = undefined;

  constructor(options: { readonly once?: boolean } = {}) {
    this.once = options.once ?? false;
  }

  /** Whether it ever fired. */
  get hasFired(): boolean {
    return this.fired;
  }
  /** The value it fired last, or undefined. */
  get value(): T | undefined {
    return this.last;
  }
  get waiting(): number {
    return this.waiters.size;
  }

  /** Wakes all who wait, in the order they came; returns how many. A second `fire` with `once` does nothing. */
  fire(value: T): number {
    if (this.fired && this.once) return 0;
    this.fired = true;
    this.last = value;
    let woken = 0;
    // One by one: settling a waiter may call off another that is part of the same `anyOf`.
    for (const waiter of this.waiters) {
      this.waiters.delete(waiter);
      waiter.settle(value);
      woken++;
    }
    return woken;
  }

  /** Waits for the next `fire`; with `once`, for the only one. */
  wait(): Wait<T> {
    return new SignalWait(this);
  }

  /** For `wait`. */
  arm(waiter: Waiter): Cancellable {
    if (this.once && this.fired) {
      waiter.settle(this.last);
      return NOTHING_TO_CANCEL;
    }
    this.waiters.add(waiter);
    return { cancel: () => this.waiters.delete(waiter) };
  }
}

interface Claim {
  readonly waiter: Waiter;
  readonly units: number;
}

class Acquire extends Wait<void> {
  private readonly resource: Resource;
  private readonly units: number;

  constructor(resource: Resource, units: number) {
    super();
    this.resource = resource;
    this.units = units;
  }

  override arm(waiter: Waiter): Cancellable {
    return this.resource.arm(waiter, this.units);
  }

  override undo(): void {
    this.resource.release(this.units);
  }
}

/** So many equal units, granted strictly in the order of asking: a large claim is never overtaken. */
export class Resource {
  readonly capacity: number;
  private used = 0;
  private readonly claims = new Fifo<Claim>();

  constructor(capacity = 1) {
    this.capacity = positive('capacity', capacity);
  }

  get inUse(): number {
    return this.used;
  }
  get waiting(): number {
    return this.claims.size;
  }

  /**
   * Waits for `units` units.
   * @throws KernelError BAD_ARGUMENT if there will never be so many.
   */
  acquire(units = 1): Wait<void> {
    if (positive('units', units) > this.capacity)
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `units: expected at most the capacity ${this.capacity}, got ${units}`,
      );
    return new Acquire(this, units);
  }

  /** Takes `units` units if nobody waits and they are free; returns whether it did. */
  tryAcquire(units = 1): boolean {
    if (this.claims.size > 0 || this.used + positive('units', units) > this.capacity) return false;
    this.used += units;
    return true;
  }

  /** @throws KernelError BAD_ARGUMENT if fewer are in use. */
  release(units = 1): void {
    if (positive('units', units) > this.used)
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `units: ${units} released, ${this.used} in use`,
      );
    this.used -= units;
    this.grant();
  }

  /** For `acquire`. */
  arm(waiter: Waiter, units: number): Cancellable {
    const claim = { waiter, units };
    this.claims.push(claim);
    this.grant();
    return {
      cancel: () => {
        if (this.claims.remove(claim)) this.grant();
      },
    };
  }

  private grant(): void {
    for (let claim = this.claims.peek(); claim !== undefined; claim = this.claims.peek()) {
      if (this.used + claim.units > this.capacity) return;
      this.claims.shift();
      this.used += claim.units;
      claim.waiter.settle(undefined);
    }
  }
}

/** Runs `body` holding `units` of `resource`; they are released however the body ends. */
export function* use<T>(resource: Resource, body: () => Task<T>, units = 1): Task<T> {
  yield* resource.acquire(units);
  try {
    return yield* body();
  } finally {
    resource.release(units);
  }
}
