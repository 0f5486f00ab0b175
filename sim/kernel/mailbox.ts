/** A bounded first-in first-out queue between processes. */

import { KernelError, KernelErrorCodes } from './errors.ts';
import { Fifo } from './fifo.ts';
import { type Cancellable, Wait, type Waiter } from './wait.ts';

interface Offer<T> {
  readonly waiter: Waiter;
  readonly item: T;
}

class Put<T> extends Wait<void> {
  private readonly mailbox: Mailbox<T>;
  private readonly item: T;

  constructor(mailbox: Mailbox<T>, item: T) {
    super();
    this.mailbox = mailbox;
    this.item = item;
  }

  override arm(waiter: Waiter): Cancellable {
    return this.mailbox.armPut(waiter, this.item);
  }
}

class Get<T> extends Wait<T> {
  private readonly mailbox: Mailbox<T>;

  constructor(mailbox: Mailbox<T>) {
    super();
    this.mailbox = mailbox;
  }

  override arm(waiter: Waiter): Cancellable {
    return this.mailbox.armGet(waiter);
  }

  override undo(item: T): void {
    this.mailbox.giveBack(item);
  }
}

export class Mailbox<T> {
  readonly capacity: number;
  private readonly items = new Fifo<T>();
  private readonly getters = new Fifo<Waiter>();
  private readonly putters = new Fifo<Offer<T>>();

  /** @param capacity items it holds before `put` has to wait; unbounded by default */
  constructor(capacity: number = Number.POSITIVE_INFINITY) {
    if (
      !(capacity === Number.POSITIVE_INFINITY || (Number.isSafeInteger(capacity) && capacity > 0))
    )
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `capacity: expected a positive integer, got ${capacity}`,
      );
    this.capacity = capacity;
  }

  /** Items held, those of waiting putters not counted. */
  get size(): number {
    return this.items.size;
  }

  /** Waits until the item is accepted. An accepted item stays, even if its putter is cancelled then. */
  put(item: T): Wait<void> {
    return new Put(this, item);
  }

  /** Waits for an item; getters are served in the order they came. */
  get(): Wait<T> {
    return new Get(this);
  }

  /** Puts without waiting; false if there is no room. */
  tryPut(item: T): boolean {
    if (this.putters.size > 0 || this.items.size >= this.capacity) return false;
    this.items.push(item);
    this.serve();
    return true;
  }

  /** Takes without waiting; undefined if there is nothing. */
  tryGet(): T | undefined {
    const item = this.items.shift();
    this.serve();
    return item;
  }

  /** For `put`. */
  armPut(waiter: Waiter, item: T): Cancellable {
    const offer = { waiter, item };
    this.putters.push(offer);
    this.serve();
    return { cancel: () => this.putters.remove(offer) };
  }

  /** For `get`. */
  armGet(waiter: Waiter): Cancellable {
    this.getters.push(waiter);
    this.serve();
    return { cancel: () => this.getters.remove(waiter) };
  }

  /** For a getter that was cancelled on the way: its item is first again. */
  giveBack(item: T): void {
    this.items.unshift(item);
    this.serve();
  }

  /** Moves offers in and items out as far as they go. */
  private serve(): void {
    for (;;) {
      if (this.items.size > 0 && this.getters.size > 0)
        this.getters.shift()!.settle(this.items.shift());
      else if (this.putters.size > 0 && this.items.size < this.capacity) {
        const { waiter, item } = this.putters.shift()!;
        this.items.push(item);
        waiter.settle(undefined);
      } else return;
    }
  }
}
