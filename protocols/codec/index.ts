/** Wire formats as tables: layouts, their codec, descriptions, mutation points, refusals. */

export * from './bytes.ts';
export * from './describe.ts';
export * from './field.ts';
export { type DecodeOptions, decode, encode, type Span } from './layout.ts';
export * from './mutate.ts';
export * from './refusal.ts';
