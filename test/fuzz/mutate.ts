/** Seeded mutations of bytes: what a hostile or broken peer might send instead of a good message. */

/** A small generator whose draws depend on nothing but its seed. */
export class Draw {
  private state: number;
  constructor(seed: number) {
    this.state = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) >>> 0 || 1;
    for (let i = 0; i < 4; i++) this.next();
  }
  private next(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state = (this.state ^ (this.state << 5)) >>> 0;
    return this.state;
  }
  /** an integer in [0, below) */
  below(below: number): number {
    return this.next() % below;
  }
  /** true once in `n` */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
  bytes(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => this.below(256));
  }
}

const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff] as const;
const LONGEST = 6000;

type Mutation = (bytes: Uint8Array, draw: Draw, other: Uint8Array) => Uint8Array;

function edited(bytes: Uint8Array, draw: Draw, value: (before: number) => number): Uint8Array {
  if (bytes.length === 0) return bytes;
  const copy = bytes.slice();
  const at = draw.below(copy.length);
  copy[at] = value(copy[at]!);
  return copy;
}

/** Joins pieces, cut to a length that keeps the run quick. */
function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out.subarray(0, LONGEST);
}

const mutations: readonly Mutation[] = [
  (bytes, draw) => edited(bytes, draw, (before) => before ^ (1 << draw.below(8))),
  (bytes, draw) => edited(bytes, draw, () => draw.pick(EDGES)),
  (bytes, draw) => edited(bytes, draw, (before) => before + 1),
  (bytes, draw) => edited(bytes, draw, (before) => before - 1),
  // The first bytes say what the rest means: they are worth more tries.
  (bytes, draw) => {
    const copy = bytes.slice();
    if (copy.length > 2) copy[2 + draw.below(Math.min(10, copy.length - 2))] = draw.below(256);
    return copy;
  },
  (bytes, draw) => bytes.slice(0, draw.below(bytes.length + 1)),
  (bytes, draw) => joined(bytes, draw.bytes(1 + draw.below(40))),
  (bytes, draw) => {
    const at = draw.below(bytes.length + 1);
    return joined(bytes.subarray(0, at), draw.bytes(1 + draw.below(4)), bytes.subarray(at));
  },
  (bytes, draw) => {
    const at = draw.below(bytes.length + 1);
    return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + draw.below(8)));
  },
  (bytes, draw, other) => {
    const at = draw.below(Math.min(bytes.length, other.length) + 1);
    return joined(bytes.subarray(0, at), other.subarray(at));
  },
];

const MUTATIONS_MAX = 4;
/** `bytes` with one to four mutations; `other` is spliced in now and then. */
export function mutate(bytes: Uint8Array, draw: Draw, other: Uint8Array): Uint8Array {
  let out = bytes;
  for (let left = 1 + draw.below(MUTATIONS_MAX); left > 0; left--)
    out = draw.pick(mutations)(out, draw, other);
  return out;
}
