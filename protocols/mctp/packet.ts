/**
 * MCTP packets (DSP0236 8.1) and the messages they carry, for captures of link type 291: the transport
 * header, then a piece of a message whose first byte is its type (DSP0275 SPDM, DSP0276 secured).
 *
 * The DMTF emulators record a synthetic header, `00 00 00 c0`: version and endpoint ids zero, one packet
 * per message whatever its size. The header version is therefore read and not judged.
 */

import { concat } from '../codec/bytes.ts';
import { layout, rest, u8 } from '../codec/field.ts';
import { decode } from '../codec/layout.ts';
import { type Refusal, RefusalCodes, refuse } from '../codec/refusal.ts';

/** Message types (DSP0239). */
export const MctpMessageTypes = { CONTROL: 0x00, PLDM: 0x01, SPDM: 0x05, SECURED: 0x06 } as const;

export const mctpPacket = layout('MCTP packet', 'DSP0236 8.1', {
  HeaderVersion: u8({ bits: { HdrVersion: [0, 4] } }),
  DestinationEID: u8(),
  SourceEID: u8(),
  Flags: u8({ bits: { MsgTag: [0, 3], TO: [3], PktSeq: [4, 2], EOM: [6], SOM: [7] } }),
  Payload: rest(),
});

const SOM = 0x80;
const EOM = 0x40;
const SEQUENCE_SHIFT = 4;
const SEQUENCE_MASK = 3;
/** tag owner and tag tell messages between the same two endpoints apart */
const TAG_MASK = 0x0f;
const IC = 0x80;
const TYPE_MASK = 0x7f;

/** Longest message put together; SPDM's own limit is far below. */
export const MESSAGE_BYTES_MAX = 0x100000;
/** Most messages in the middle of being put together. */
export const OPEN_MESSAGES_MAX = 64;

export interface MctpMessage {
  readonly ok: true;
  readonly type: number;
  /** what follows the type byte */
  readonly body: Uint8Array;
  /** endpoint ids of its sender and its receiver */
  readonly source: number;
  readonly destination: number;
}
/** The packet is a piece of a message that later packets end. */
export interface MctpPiece {
  readonly ok: true;
  readonly type: undefined;
}

interface Open {
  sequence: number;
  size: number;
  readonly parts: Uint8Array[];
}

/** Puts messages together from packets in the order they were seen. */
export class MctpAssembler {
  private readonly open = new Map<string, Open>();

  private lost = 0;

  /** Messages that have begun and not ended, those given up included. */
  get unfinished(): number {
    return this.open.size + this.lost;
  }

  /** Takes the next packet. A packet out of sequence drops the message it was meant for. */
  take(bytes: Uint8Array): MctpMessage | MctpPiece | Refusal {
    const packet = decode(mctpPacket, bytes);
    if (!packet.ok) return packet;
    const { DestinationEID, SourceEID, Flags, Payload } = packet.value;
    const key = `${SourceEID}>${DestinationEID}:${Flags & TAG_MASK}`;
    const sequence = (Flags >> SEQUENCE_SHIFT) & SEQUENCE_MASK;
    const known = (Flags & SOM) !== 0 ? this.start(key, sequence) : this.open.get(key);
    if (known === undefined)
      return refuse(RefusalCodes.BAD_VALUE, 'Flags', 3, 'a later packet of no known message');
    if (known.sequence !== sequence) {
      this.drop(key);
      return refuse(
        RefusalCodes.BAD_VALUE,
        'Flags.PktSeq',
        3,
        `${sequence}, expected ${known.sequence}`,
      );
    }
    known.sequence = (sequence + 1) & SEQUENCE_MASK;
    known.size += Payload.length;
    known.parts.push(Payload);
    if (known.size > MESSAGE_BYTES_MAX || this.open.size > OPEN_MESSAGES_MAX) {
      this.drop(key);
      return refuse(RefusalCodes.OVER_LIMIT, 'Payload', 4, 'too much of unfinished messages');
    }
    if ((Flags & EOM) === 0) return { ok: true, type: undefined };
    this.open.delete(key);
    return messageOf(concat(...known.parts), SourceEID, DestinationEID);
  }

  private start(key: string, sequence: number): Open {
    this.drop(key);
    const fresh: Open = { sequence, size: 0, parts: [] };
    this.open.set(key, fresh);
    return fresh;
  }

  private drop(key: string): void {
    if (this.open.delete(key)) this.lost++;
  }
}

function messageOf(whole: Uint8Array, source: number, destination: number): MctpMessage | Refusal {
  const [first] = whole;
  if (first === undefined)
    return refuse(RefusalCodes.TRUNCATED, 'MessageType', 4, 'a message without its type');
  // SPDM over MCTP has no integrity check of its own (DSP0275).
  if ((first & IC) !== 0)
    return refuse(RefusalCodes.BAD_VALUE, 'MessageType.IC', 4, 'integrity check bit set');
  const type = first & TYPE_MASK;
  return { ok: true, type, body: whole.slice(1), source, destination };
}
