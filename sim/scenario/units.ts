/** Values as people write them in YAML: durations, sizes, hexadecimal numbers, bytes. */

import { z } from 'zod';
import { fromHex } from '../../protocols/codec/bytes.ts';
import { parseDuration } from '../kernel/index.ts';

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

function refined<T>(read: (text: string) => T, allowed: string) {
  return z.string().transform((text, context): T => {
    try {
      return read(text);
    } catch {
      context.addIssue({ code: 'custom', message: `"${text}" is not ${allowed}` });
      return z.NEVER;
    }
  });
}

/** `5ns`, `1.5us`, `20 ms`: picoseconds. */
export const duration = refined(parseDuration, 'a duration such as 5ns, 1.5us, 20ms or 1s');

function parseSize(text: string): number {
  const match = /^(\d+)\s*(B|KiB|MiB|GiB)$/.exec(text.trim());
  if (match === null) throw new TypeError('text: not a size');
  return Number(match[1]) * SIZE_UNITS[match[2]!]!;
}

/** `64KiB`, `1MiB` or a plain number: bytes. */
export const size = z.union([
  z.number().int().nonnegative(),
  refined(parseSize, 'a size such as 512B, 64KiB or 1MiB'),
]);

export const unsigned = (max: number) => z.number().int().min(0).max(max);

/** Bytes in hexadecimal. */
export const hexBytes = refined(fromHex, 'hexadecimal bytes');

export const bdfText = z
  .string()
  .regex(/^[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, 'expected bus:device.function such as "01:00.1"');

/** A fixed time, and one per byte for work that grows with size. */
export const cost = z.union([
  duration.transform((fixed) => ({ fixed, perByte: 0 })),
  z
    .strictObject({ fixed: duration, 'per-byte': duration })
    .transform((value) => ({ fixed: value.fixed, perByte: value['per-byte'] })),
]);
export type Cost = z.infer<typeof cost>;
