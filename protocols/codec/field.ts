/**
 * Field descriptors: a wire format written as a table. Plain data; `layout.ts` encodes and decodes
 * them, `describe.ts` prints them, `mutate.ts` finds the places a fuzzer should touch.
 *
 * A layout's fields stand in wire order. Sizes and counts may be a number or a rule over the fields
 * already decoded in the same layout (`scope`) and facts known from elsewhere (`facts`: negotiated
 * version, hash size ...).
 */

/** Facts a message cannot tell by itself: negotiated version, sizes, whether a signature was asked. */
export type Facts = Readonly<Record<string, number>>;
// biome-ignore lint/suspicious/noExplicitAny: the scope's type depends on the layout it stands in
export type Scope = any;
export type Rule<T> = (scope: Scope, facts: Facts) => T;
export type SizeRule = number | Rule<number>;

/** bit name -> [least significant bit, width]; bits without a name are reserved */
export type Bits = Readonly<Record<string, readonly [lsb: number, width?: number]>>;
export type Names = Readonly<Record<number, string>>;

export type Presence = 'required' | 'optional' | 'none';

interface Base<T, P extends Presence> {
  readonly when?: Rule<boolean>;
  /** first protocol version (`facts.version`) that has this field */
  readonly since?: number;
  readonly presence: P;
  /** carries the value type only */
  readonly type?: T;
}

export interface UintField<P extends Presence = Presence> extends Base<number, P> {
  readonly kind: 'uint';
  readonly width: number;
  readonly names?: Names;
  readonly bits?: Bits;
  readonly max?: number;
  readonly only?: readonly number[];
  /** this integer is the byte length, or the item count, of the named later field */
  readonly lengthOf?: string;
  readonly countOf?: string;
  /** added to the derived length: bytes counted besides the field itself */
  readonly extra?: SizeRule;
  /** `width` holds from this protocol version (`facts.version`) on; before, it is the one named here */
  readonly narrow?: { readonly before: number; readonly width: number };
}
export interface BigField<P extends Presence = Presence> extends Base<bigint, P> {
  readonly kind: 'u64';
}
export interface BytesField<P extends Presence = Presence> extends Base<Uint8Array, P> {
  readonly kind: 'bytes';
  /** undefined: everything up to the end */
  readonly size: SizeRule | undefined;
  readonly text?: boolean;
}
export interface ReservedField extends Base<never, 'none'> {
  readonly kind: 'reserved';
  readonly size: SizeRule;
}
export interface StructField<T = unknown, P extends Presence = Presence> extends Base<T, P> {
  readonly kind: 'struct';
  readonly layout: Layout;
}
export interface ListField<T = unknown, P extends Presence = Presence> extends Base<T[], P> {
  readonly kind: 'list';
  readonly item: AnyField;
  /** a number of items ... */
  readonly count?: SizeRule;
  /** ... or the bytes they fill; neither: up to the end */
  readonly bytes?: SizeRule;
  readonly maxItems: number;
}
export type AnyField = UintField | BigField | BytesField | ReservedField | StructField | ListField;

export type Fields = Readonly<Record<string, AnyField>>;
export interface Layout<F extends Fields = Fields> {
  readonly name: string;
  readonly fields: F;
  /** specification clause, for the documentation tables */
  readonly clause: string;
  /** what no single field can tell: a sentence if the decoded fields contradict each other */
  readonly check?: Rule<string | undefined>;
}

type Req<F extends Fields> = {
  [K in keyof F]: F[K]['presence'] extends 'required' ? K : never;
}[keyof F];
type Opt<F extends Fields> = {
  [K in keyof F]: F[K]['presence'] extends 'optional' ? K : never;
}[keyof F];
type TypeOf<X> = X extends { readonly type?: infer T } ? Exclude<T, undefined> : never;
/** The value a layout decodes to and encodes from. Derived lengths and counts are optional on encode. */
export type ValueOf<L extends Layout> = { [K in Req<L['fields']>]: TypeOf<L['fields'][K]> } & {
  [K in Opt<L['fields']>]?: TypeOf<L['fields'][K]>;
};

export function layout<const F extends Fields>(
  name: string,
  clause: string,
  fields: F,
  check?: Rule<string | undefined>,
): Layout<F> {
  return check === undefined ? { name, clause, fields } : { name, clause, fields, check };
}

type UintOptions = Omit<
  UintField,
  'kind' | 'width' | 'presence' | 'type' | 'lengthOf' | 'countOf' | 'extra'
>;
export function uint(width: number, options: UintOptions = {}): UintField<'required'> {
  return { kind: 'uint', width, presence: 'required', ...options };
}
export const u8 = (options: UintOptions = {}) => uint(1, options);
export const u16 = (options: UintOptions = {}) => uint(2, options);
export const u24 = (options: UintOptions = {}) => uint(3, options);
export const u32 = (options: UintOptions = {}) => uint(4, options);
export const u64 = (): BigField<'required'> => ({ kind: 'u64', presence: 'required' });

/** Integer holding the byte length of a later field; filled in on encode unless the value overrides it. */
export function lengthOf(field: string, width: number, extra: SizeRule = 0): UintField<'optional'> {
  return { kind: 'uint', width, presence: 'optional', lengthOf: field, extra };
}
/** Integer holding the item count of a later list. */
export function countOf(field: string, width: number): UintField<'optional'> {
  return { kind: 'uint', width, presence: 'optional', countOf: field };
}

export const bytes = (size: SizeRule): BytesField<'required'> => ({
  kind: 'bytes',
  size,
  presence: 'required',
});
/** All bytes up to the end of the buffer. */
export const rest = (): BytesField<'required'> => ({
  kind: 'bytes',
  size: undefined,
  presence: 'required',
});
/** Written as zero, ignored when read. */
export const reserved = (size: SizeRule): ReservedField => ({
  kind: 'reserved',
  size,
  presence: 'none',
});

export function struct<L extends Layout>(inner: L): StructField<ValueOf<L>, 'required'> {
  return { kind: 'struct', layout: inner, presence: 'required' };
}

type ListSize = { count: SizeRule } | { bytes: SizeRule } | { toEnd: true };
const MAX_ITEMS = 4096;
/** Items of one field type: so many, or as many as fill so many bytes. */
export function list<F extends AnyField>(
  item: F,
  size: ListSize,
): ListField<TypeOf<F>, 'required'> {
  const base = { kind: 'list', item, maxItems: MAX_ITEMS, presence: 'required' } as const;
  if ('count' in size) return { ...base, count: size.count };
  if ('bytes' in size) return { ...base, bytes: size.bytes };
  return base;
}

type Optional<F> = F extends ReservedField
  ? F
  : F extends AnyField
    ? Omit<F, 'presence'> & { readonly presence: 'optional' }
    : never;
/** The field is there only if `rule` says so. */
export function when<F extends AnyField>(rule: Rule<boolean>, field: F): Optional<F> {
  const presence = field.kind === 'reserved' ? 'none' : 'optional';
  return { ...field, when: rule, presence } as unknown as Optional<F>;
}
/** The field is there from protocol version `version` (`facts.version`) on. */
export function since<F extends AnyField>(version: number, field: F): Optional<F> {
  const presence = field.kind === 'reserved' ? 'none' : 'optional';
  return { ...field, since: version, presence } as unknown as Optional<F>;
}
