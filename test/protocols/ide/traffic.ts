/** TLPs the traffic tests send, by direction and sub-stream, and a way to pass them. */

import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import type { IdePort, TransmitOptions } from '../../../protocols/ide/index.ts';
import {
  cfgRead,
  memoryRead,
  memoryWrite,
  message,
  messageById,
} from '../../../protocols/tlp/build.ts';
import { completionFor } from '../../../protocols/tlp/complete.ts';
import { accepted, EP_ID, MMIO_BASE, RP_ID, STREAM_ID, wires } from './pair.ts';

export const data = (size: number, seed = 1) =>
  Uint8Array.from({ length: size }, (_, i) => (seed * 29 + i * 7) & 0xff);

/** Host to device, inside the root port's address association. */
export const mmioWrite = (size = 4, offset = 0, tc = 0) =>
  memoryWrite({ requesterId: RP_ID, address: MMIO_BASE + offset, data: data(size), tc });
export const mmioRead = (tag: number, length = 4) =>
  memoryRead({ requesterId: RP_ID, tag, address: MMIO_BASE + 0x1000, length });
/** Device to host. */
export const dmaWrite = (size = 64, seed = 1) =>
  memoryWrite({ requesterId: EP_ID, address: 0x1000, data: data(size, seed) });
export const dmaRead = (tag: number, length = 64) =>
  memoryRead({ requesterId: EP_ID, tag, address: 0x2000, length });
export const reply = (request: Uint8Array, size: number, completerId = RP_ID) =>
  completionFor(request, { completerId, status: 0, data: data(size, 3) });
export const unsupported = (request: Uint8Array, completerId = RP_ID) =>
  completionFor(request, { completerId, status: 1 });

export const config = (type: 0 | 1, tag = 9) =>
  cfgRead({ requesterId: RP_ID, tag, type, destinationId: EP_ID, register: 0 });
export const vendorMessage = (requesterId: number, destinationId: number) =>
  messageById({ requesterId, code: 0x7f, destinationId });
export const routed = (routing: number, requesterId = EP_ID) =>
  message({ requesterId, code: 0x7f, routing });

export const T1 = { tee: true };
export const T0 = { tee: false };
export const on = (tee: boolean) => ({ streamId: STREAM_ID, tee });

/** Sends all of it from one port to the other and checks what arrives. */
export function pass(from: IdePort, to: IdePort, tlp: Uint8Array, options: TransmitOptions) {
  const sent = from.transmit(tlp, options);
  const got = wires(sent).map((bytes) => to.receive(bytes));
  const last = accepted(got.at(-1)!);
  assert.is(toHex(last.tlp), toHex(tlp));
  return { sent, got, last };
}
