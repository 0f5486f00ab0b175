/** Shape of a scenario file. Every key is checked; an unknown one is an error, not ignored. */

import { z } from 'zod';
import { WorkOps } from '../../protocols/engine.ts';
import { MeasurementTypes } from '../../protocols/spdm/codes.ts';
import { bdfText, cost, duration, hexBytes, size, unsigned } from './units.ts';

const costs = z.strictObject(
  Object.fromEntries(WorkOps.map((op) => [op, cost])) as Record<
    (typeof WorkOps)[number],
    typeof cost
  >,
);

const measurementTypes = Object.keys(MeasurementTypes) as [string, ...string[]];

const measurement = z.strictObject({
  index: unsigned(0xfe).min(1),
  type: z.enum(measurementTypes),
  raw: z.boolean().default(false),
  tcb: z.boolean().default(true),
  content: z.union([z.strictObject({ text: z.string() }), z.strictObject({ hex: hexBytes })]),
});

const bar = z.strictObject({
  index: unsigned(5),
  size,
  prefetchable: z.boolean().default(false),
});

const pages = z.strictObject({
  bar: unsigned(5),
  /** first 4 KiB page and number of pages inside the BAR */
  first: unsigned(0xfffff),
  count: unsigned(0xfffff).min(1),
});

const deviceFunction = z.strictObject({
  number: unsigned(7),
  'device-id': unsigned(0xffff),
  'class-code': unsigned(0xffffff),
  bars: z.array(bar).min(1).max(3),
  msix: z.strictObject({
    vectors: unsigned(2048).min(1),
    bar: unsigned(5),
    page: unsigned(0xfffff),
  }),
  /** pages of the register BAR that a TVM may share with the host */
  'non-tee': z.array(pages).default([]),
});

export const profileSchema = z.strictObject({
  schema: z.literal('tdisp-sim/device-profile@1'),
  name: z.string().min(1),
  'vendor-id': unsigned(0xffff),
  identity: z.strictObject({
    manufacturer: z.string().min(1),
    product: z.string().min(1),
    serial: z.string().min(1),
  }),
  spdm: z.strictObject({
    'ct-exponent': unsigned(31),
    /** what VERSION lists, ascending */
    versions: z
      .array(z.enum(['1.0', '1.1', '1.2', '1.3', '1.4']))
      .min(1)
      .default(['1.2']),
    'data-transfer-size': unsigned(0x100000).min(42),
    /** largest message, in chunks if it is more than data-transfer-size; default: the same */
    'max-message-size': unsigned(0x1000000).optional(),
    /** an answer that takes longer is announced by ResponseNotReady, and fetched later */
    'not-ready-above': duration.default(500_000_000_000),
    'handshake-in-the-clear': z.boolean().default(false),
    /** seconds */
    'heartbeat-period': unsigned(255),
    measurements: z.array(measurement).min(1),
  }),
  ide: z.strictObject({
    'selective-streams': unsigned(16).min(1),
    latency: duration,
  }),
  tdisp: z.strictObject({
    'address-width': unsigned(64).min(32),
    'report-portion': unsigned(4096).min(16),
  }),
  doe: z.strictObject({ processing: duration }),
  /** what each operation takes on the DSM */
  costs,
  functions: z.array(deviceFunction).min(1).max(8),
});
export type DeviceProfile = z.infer<typeof profileSchema>;

const region = z.strictObject({
  name: z.string().min(1),
  kind: z.enum(['private', 'shared', 'host']),
  base: unsigned(2 ** 46),
  size,
});

const platform = z.strictObject({
  link: z.strictObject({
    generation: unsigned(6).min(1),
    width: z.literal([1, 2, 4, 8, 16]),
    propagation: duration,
  }),
  latencies: z.strictObject({
    /** CPU to root port and back, around each configuration or MMIO access */
    cpu: duration,
    'root-port': duration,
    endpoint: duration,
    iommu: duration,
    memory: duration,
    ide: duration,
    'completion-timeout': duration,
    'key-unit': duration,
    'doe-poll': duration,
  }),
  memory: z.array(region).min(2),
  /** what each operation takes on the TSM */
  costs,
});

/** What is asserted of a step that moves data. */
const outcome = z.enum(['ok', 'refused']);

const mmio = z.strictObject({
  op: z.enum(['read', 'write']),
  by: z.enum(['guest', 'host']),
  bar: unsigned(5),
  offset: unsigned(2 ** 32),
  length: unsigned(4096).min(4).default(64),
  expect: outcome.default('ok'),
});
const dma = z.strictObject({
  direction: z.enum(['to-device', 'from-device']),
  /** region of host memory that the buffer lies in */
  buffer: z.string(),
  length: size,
  /** who rings the doorbell: the guest with T=1, or the host with T=0 */
  by: z.enum(['guest', 'host']).default('guest'),
  expect: outcome.default('ok'),
});
const nothing = z
  .strictObject({})
  .nullish()
  .transform(() => ({}));

/** One verb per step; the value says how. */
export const stepSchemas = {
  enumerate: nothing,
  authenticate: z.strictObject({ slot: unsigned(7).default(0) }).prefault({}),
  'open-session': z.strictObject({ slot: unsigned(7).default(0) }).prefault({}),
  heartbeat: nothing,
  'secure-link': z.strictObject({ 'stream-id': unsigned(254) }),
  lock: nothing,
  'check-report': nothing,
  accept: nothing,
  start: nothing,
  mmio,
  dma,
  'host-peek': z.strictObject({ region: z.string(), expect: outcome }),
  'flip-bit': z.strictObject({
    direction: z.enum(['upstream', 'downstream']),
    /** bit of the TLP's payload, counted from its first byte */
    bit: unsigned(32767),
    tlp: z.enum(['memory-write', 'memory-read', 'completion']),
  }),
  'expect-state': z.strictObject({
    tdi: z.enum(['CONFIG_UNLOCKED', 'CONFIG_LOCKED', 'RUN', 'ERROR']).optional(),
    stream: z.enum(['Secure', 'Insecure']).optional(),
  }),
  recover: nothing,
  'stop-interface': nothing,
  'tear-down-link': nothing,
  'end-session': nothing,
  wait: z.strictObject({ for: duration }),
} as const;
export type Verb = keyof typeof stepSchemas;
export const verbs = Object.keys(stepSchemas) as Verb[];

export type StepOf<V extends Verb> = z.infer<(typeof stepSchemas)[V]>;
export type Step = { [V in Verb]: { verb: V; how: StepOf<V> } }[Verb];

/** Keys a verb's value may have. */
function keysOf(verb: Verb): string[] {
  type Def = { shape?: Record<string, unknown>; innerType?: { def: Def }; in?: { def: Def } };
  let def: Def | undefined = (stepSchemas[verb] as unknown as { def: Def }).def;
  while (def !== undefined && def.shape === undefined) def = (def.innerType ?? def.in)?.def;
  return Object.keys(def?.shape ?? {});
}

/** `enumerate` alone, or `{ dma: { ... } }`. */
const step = z.union([z.string(), z.record(z.string(), z.unknown())]).transform((raw, context) => {
  const entries: [string, unknown][] = typeof raw === 'string' ? [[raw, {}]] : Object.entries(raw);
  const [verb, how] = entries[0] ?? ['', undefined];
  if (entries.length !== 1 || !verbs.includes(verb as Verb)) {
    const message = `expected one of ${verbs.join(', ')}`;
    context.addIssue({ code: 'custom', message, path: typeof raw === 'string' ? [] : [verb] });
    return z.NEVER;
  }
  const parsed = stepSchemas[verb as Verb].safeParse(how);
  if (parsed.success) return { verb, how: parsed.data } as Step;
  for (const issue of parsed.error.issues) {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
    const path = [verb, ...issue.path];
    if (keys.length === 0) context.addIssue({ ...issue, path } as never);
    for (const key of keys) {
      const message = `unknown key; allowed here: ${keysOf(verb as Verb).join(', ') || 'none'}`;
      context.addIssue({ code: 'custom', message, path: [...path, key] });
    }
  }
  return z.NEVER;
});

export const scenarioSchema = z.strictObject({
  schema: z.literal('tdisp-sim/scenario@1'),
  name: z.string().min(1),
  seed: z.union([z.number().int(), z.string()]),
  limits: z.strictObject({ time: duration, events: unsigned(1e12).min(1) }),
  /** the calendar at power-on, for certificate validity: seconds since 1970 */
  epoch: unsigned(253402300799),
  device: z.strictObject({
    /** a shipped profile's name, or a file beside the scenario */
    profile: z.string().min(1),
    /** which function the guest gets */
    tdi: bdfText,
    /** measurements that differ from what the vendor published: index -> text */
    tampered: z
      .array(z.strictObject({ index: unsigned(0xfe).min(1), text: z.string() }))
      .default([]),
  }),
  platform,
  story: z
    .array(z.strictObject({ chapter: z.string().min(1), steps: z.array(step).min(1) }))
    .min(1),
});
export type Scenario = z.infer<typeof scenarioSchema>;
