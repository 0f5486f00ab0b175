/**
 * IDE_Sync and IDE_Fail (PCIe Base 6.x clause 2.2.8 and 6.33.5), the two messages ports exchange about
 * a stream.
 *
 * Choices, held here and in the tables below only, since no public text gives the bytes: codes 54h and
 * 55h; Msg without data; routed by ID to the partner on a Selective stream, local on a Link stream;
 * behind the destination ID of DW2 stands the Stream ID in bits 7:0; DW3 of IDE_Sync carries
 * PR_Sent_NPR in bits 15:8 and PR_Sent_CPL in 7:0. IDE_Sync is an IDE TLP of the PR sub-stream with
 * T=0; IDE_Fail is not an IDE TLP, as the stream it reports can protect nothing any more.
 */

import { layout, reserved, u8, type ValueOf } from '../codec/field.ts';
import { decode, encode } from '../codec/layout.ts';
import { message, messageById } from '../tlp/build.ts';
import { MessageRoutings } from '../tlp/codes.ts';
import {
  destinationId,
  headerOffset,
  isMessage,
  messageCode,
  messageRouting,
} from '../tlp/view.ts';

export const IdeMessageCodes = { IDE_SYNC: 0x54, IDE_FAIL: 0x55 } as const;

const CLAUSE = 'PCIe Base 6.x 2.2.8';
/** The six bytes behind the destination ID. */
export const IdeSyncBody = layout('IDE_Sync', CLAUSE, {
  Reserved1: reserved(1),
  StreamID: u8(),
  Reserved2: reserved(2),
  PR_Sent_NPR: u8(),
  PR_Sent_CPL: u8(),
});
export const IdeFailBody = layout('IDE_Fail', CLAUSE, {
  Reserved1: reserved(1),
  StreamID: u8(),
  Reserved2: reserved(4),
});
const BODY_BYTES = 6;
const DESTINATION_BYTES = 2;

export interface IdeMessageRoute {
  readonly requesterId: number;
  /** partner port of a Selective stream; undefined on a Link stream, where the message is local */
  readonly destinationId: number | undefined;
  readonly tc: number;
}

function build(route: IdeMessageRoute, code: number, body: Uint8Array): Uint8Array {
  const { requesterId, destinationId: partner, tc } = route;
  if (partner !== undefined)
    return messageById({ requesterId, tc, code, destinationId: partner, body });
  const padded = new Uint8Array(DESTINATION_BYTES + BODY_BYTES);
  padded.set(body, DESTINATION_BYTES);
  return message({ requesterId, tc, code, routing: MessageRoutings.LOCAL, body: padded });
}

/** An IDE_Sync TLP, still to be sealed. */
export function ideSync(route: IdeMessageRoute, body: ValueOf<typeof IdeSyncBody>): Uint8Array {
  return build(route, IdeMessageCodes.IDE_SYNC, encode(IdeSyncBody, body));
}

/** An IDE_Fail TLP, sent as it is. */
export function ideFail(route: IdeMessageRoute, streamId: number): Uint8Array {
  return build(route, IdeMessageCodes.IDE_FAIL, encode(IdeFailBody, { StreamID: streamId }));
}

export type IdeMessage =
  | {
      readonly name: 'IDE_Sync';
      readonly streamId: number;
      readonly npr: number;
      readonly cpl: number;
    }
  | { readonly name: 'IDE_Fail'; readonly streamId: number };

/**
 * The IDE message in a checked TLP, or undefined for any other TLP. A message by ID must name
 * `ownId`, or it is on its way to another port.
 */
export function ideMessage(tlp: Uint8Array, ownId: number): IdeMessage | undefined {
  if (!isMessage(tlp)) return undefined;
  const code = messageCode(tlp);
  if (code !== IdeMessageCodes.IDE_SYNC && code !== IdeMessageCodes.IDE_FAIL) return undefined;
  const routing = messageRouting(tlp);
  const byId = routing === MessageRoutings.BY_ID && destinationId(tlp) === ownId;
  if (!byId && routing !== MessageRoutings.LOCAL) return undefined;
  const at = headerOffset(tlp) + 8 + DESTINATION_BYTES;
  const body = tlp.subarray(at, at + BODY_BYTES);
  if (code === IdeMessageCodes.IDE_FAIL) {
    const fail = decode(IdeFailBody, body);
    return fail.ok ? { name: 'IDE_Fail', streamId: fail.value.StreamID } : undefined;
  }
  const sync = decode(IdeSyncBody, body);
  if (!sync.ok) return undefined;
  const { StreamID, PR_Sent_NPR, PR_Sent_CPL } = sync.value;
  return { name: 'IDE_Sync', streamId: StreamID, npr: PR_Sent_NPR, cpl: PR_Sent_CPL };
}
