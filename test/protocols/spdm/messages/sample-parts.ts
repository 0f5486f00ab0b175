/** What the sample tables are made of. */

import type { Facts } from '../../../../protocols/codec/field.ts';
import type { KnownCode } from '../../../../protocols/spdm/messages/registry.ts';

/** `size` bytes none of which is 0. */
export const fill = (size: number, first = 1): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => ((first + i - 1) % 255) + 1);

export type Body = Record<string, unknown>;
export interface Row {
  readonly code: KnownCode;
  readonly label?: string;
  readonly from?: number;
  readonly to?: number;
  readonly facts?: Facts;
  /** fields besides SPDMVersion and RequestResponseCode; Param1 and Param2 are 0 unless given */
  readonly body: (version: number) => Body;
}
export const EMPTY = new Uint8Array(0);
export const none = (): Body => ({});
/** Fields that a version has from `since` on. */
export const from = (version: number, since: number, body: Body): Body =>
  version >= since ? body : {};
