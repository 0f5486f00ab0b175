/**
 * Multiples of a NIST curve's generator from a table, in BigInt: for a scalar cut into signed windows,
 * one addition of a stored point each and no doubling. The table is made on first use.
 */

import { normalizeZ } from '@noble/curves/abstract/curve.js';
import { invert } from '@noble/curves/abstract/modular.js';
import { numberToBytesBE } from '@noble/curves/utils.js';
import { concat } from '../codec/bytes.ts';
import { type CurveName, curves } from './algorithms.ts';
import { nobleCurves } from './elliptic.ts';

const WINDOW_BITS = 7;
const HALF = 1 << (WINDOW_BITS - 1);
const MASK = (1n << BigInt(WINDOW_BITS)) - 1n;

/** Coordinates of j 2^(7i) G at [i * HALF + j - 1], j from 1 to HALF. */
interface Table {
  readonly p: bigint;
  readonly xs: readonly bigint[];
  readonly ys: readonly bigint[];
}

function tableOf(curve: CurveName): Table {
  const { Point } = nobleCurves[curve];
  type P = typeof Point.BASE;
  const windows = Math.ceil((Point.Fn.BITS + 1) / WINDOW_BITS);
  const points: P[] = [];
  let base: P = Point.BASE;
  for (let i = 0; i < windows; i++) {
    let multiple = base;
    for (let j = 1; j <= HALF; j++) {
      points.push(multiple);
      if (j < HALF) multiple = multiple.add(base);
    }
    base = multiple.double();
  }
  // As the last of a window is 2^6 times its base, twice it is the base of the next.
  const affine = normalizeZ(Point, points).map((point) => point.toAffine());
  return { p: Point.Fp.ORDER, xs: affine.map(({ x }) => x), ys: affine.map(({ y }) => y) };
}
const tables = new Map<CurveName, Table>();

/** X || Y of scalar times G; the scalar is in [1, n-1]. */
export function generatorMultiple(curve: CurveName, scalar: bigint): Uint8Array {
  let table = tables.get(curve);
  if (table === undefined) {
    table = tableOf(curve);
    tables.set(curve, table);
  }
  const { p, xs, ys } = table;
  // Jacobian coordinates: x = X / Z^2, y = Y / Z^3; Z = 0 before the first addition.
  let [X, Y, Z] = [0n, 0n, 0n];
  let rest = scalar;
  for (let window = 0; rest > 0n; window++) {
    let digit = Number(rest & MASK);
    rest >>= BigInt(WINDOW_BITS);
    if (digit > HALF) {
      digit -= 2 * HALF;
      rest += 1n;
    }
    if (digit === 0) continue;
    const at = window * HALF + Math.abs(digit) - 1;
    const x = xs[at]!;
    const y = digit < 0 ? p - ys[at]! : ys[at]!;
    if (Z === 0n) {
      [X, Y, Z] = [x, y, 1n];
      continue;
    }
    // Mixed addition. The sum so far is below half the stored multiple, or, in the last window, differs
    // from it and its negative because the scalar is below n: the two points never share an x.
    const ZZ = (Z * Z) % p;
    const h = (((x * ZZ) % p) - X + p) % p;
    const r = (((y * ((ZZ * Z) % p)) % p) - Y + p) % p;
    const hh = (h * h) % p;
    const hhh = (hh * h) % p;
    const v = (X * hh) % p;
    X = (((r * r - hhh - 2n * v) % p) + p) % p;
    Y = (((r * (v - X) - Y * hhh) % p) + p) % p;
    Z = (Z * h) % p;
  }
  const inverse = invert(Z, p);
  const square = (inverse * inverse) % p;
  const size = curves[curve].fieldSize;
  const coordinates = [(X * square) % p, (Y * ((square * inverse) % p)) % p];
  return concat(...coordinates.map((value) => numberToBytesBE(value, size)));
}
