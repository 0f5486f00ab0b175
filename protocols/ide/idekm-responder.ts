/**
 * The IDE_KM responder (PCIe Base 6.x clause 6.33.3): key management for one or more ports, asked for
 * inside an SPDM secured session. The first session that programs a key owns its port: while it lives,
 * IDE_KM for that port from any other session meets silence.
 *
 * Choices where no status exists: outside a session, ERROR UnexpectedRequest; an object nobody knows,
 * ERROR UnsupportedRequest; a QUERY, K_SET_GO or K_SET_STOP of wrong length or naming a port, stream or
 * sub-stream that does not exist, and a K_SET_GO for a key not programmed, ERROR InvalidRequest. A
 * KEY_PROG over a key that a Secure stream uses is answered Unspecified Failure.
 */

import { toHex } from '../codec/bytes.ts';
import type { ValueOf } from '../codec/field.ts';
import { decode, encode } from '../codec/layout.ts';
import { LocalError } from '../codec/refusal.ts';
import type { SpdmErrorReply, VendorOutcome, VendorResponder, Work } from '../engine.ts';
import { ErrorCodes, RequestCodes } from '../spdm/codes.ts';
import type { IdeEffect } from './effects.ts';
import {
  decodeIfv,
  decodeKeySubStream,
  encodeIfv,
  IDE_KM_PROTOCOL_ID,
  IdekmObjects,
  INITIAL_IFV,
  isSubStream,
  KeyProg,
  KGostopAck,
  KpAck,
  type KpAckStatus,
  KpAckStatuses,
  KSetGo,
  KSetStop,
  Query,
  QueryResp,
  swapKeyOrder,
} from './idekm.ts';
import type { IdePort, KeyAddress } from './port.ts';

const MESSAGE: readonly Work[] = [{ op: 'message' }];
const KEY_PROGRAM: readonly Work[] = [{ op: 'message' }, { op: 'key-program' }];
const INITIAL_IFV_WIRE = toHex(encodeIfv(INITIAL_IFV));

const SILENCE: VendorOutcome = { reply: undefined, work: MESSAGE, effects: [] };

function refuse(spdmError: number, data = 0): VendorOutcome {
  const reply: SpdmErrorReply = { spdmError, data };
  return { reply, work: MESSAGE, effects: [] };
}
const invalid = (): VendorOutcome => refuse(ErrorCodes.InvalidRequest);

export interface IdekmResponderOptions {
  /** the port with PortIndex i at index i */
  readonly ports: readonly IdePort[];
}

export class IdekmResponder implements VendorResponder {
  readonly protocolId = IDE_KM_PROTOCOL_ID;
  readonly name = 'IDE_KM';
  readonly #ports: readonly IdePort[];

  /** @throws LocalError if there is no port, more than 256, or one whose portIndex is not its place. */
  constructor({ ports }: IdekmResponderOptions) {
    if (ports.length === 0 || ports.length > 256)
      throw new LocalError(`ports: expected 1..256, got ${ports.length}`);
    for (const [i, port] of ports.entries())
      if (port.portIndex !== i)
        throw new LocalError(`ports[${i}]: expected portIndex ${i}, got ${port.portIndex}`);
    this.#ports = ports;
  }

  handle(payload: Uint8Array, sessionId: number | undefined): VendorOutcome {
    if (sessionId === undefined) return refuse(ErrorCodes.UnexpectedRequest);
    if (payload.length === 0) return invalid();
    switch (payload[0]) {
      case IdekmObjects.QUERY:
        return this.#query(payload, sessionId);
      case IdekmObjects.KEY_PROG:
        return this.#keyProg(payload, sessionId);
      case IdekmObjects.K_SET_GO:
      case IdekmObjects.K_SET_STOP:
        return this.#goStop(payload, sessionId);
      default:
        return refuse(ErrorCodes.UnsupportedRequest, RequestCodes.VENDOR_DEFINED_REQUEST);
    }
  }

  /** An SPDM session is over: its keys go, on every port. */
  sessionEnded(sessionId: number): readonly IdeEffect[] {
    return this.#ports.flatMap((port) => port.sessionEnded(sessionId));
  }

  /** Whether `port` belongs to a living session other than this one. */
  #foreign(port: IdePort, sessionId: number): boolean {
    return port.ownerSession !== undefined && port.ownerSession !== sessionId;
  }

  #query(payload: Uint8Array, sessionId: number): VendorOutcome {
    const request = decode(Query, payload);
    if (!request.ok) return invalid();
    const port = this.#ports[request.value.PortIndex];
    if (port === undefined) return invalid();
    if (this.#foreign(port, sessionId)) return SILENCE;
    const reply = encode(QueryResp, {
      ObjectID: IdekmObjects.QUERY_RESP,
      PortIndex: port.portIndex,
      DevFunc: port.rid & 0xff,
      Bus: (port.rid >> 8) & 0xff,
      Segment: port.segment & 0xff,
      MaxPortIndex: this.#ports.length - 1,
      IdeRegisters: port.registerDwords(),
    });
    return { reply, work: MESSAGE, effects: [] };
  }

  #keyProg(payload: Uint8Array, sessionId: number): VendorOutcome {
    const request = decode(KeyProg, payload);
    if (!request.ok) {
      // What a short message does not have is echoed as 0; who it is meant for is still told apart.
      const echo = new Uint8Array(7);
      echo.set(payload.subarray(0, 7));
      const [, , , StreamID = 0, , KeySubStream = 0, PortIndex = 0] = echo;
      const port = payload.length >= 7 ? this.#ports[PortIndex] : undefined;
      if (port !== undefined && this.#foreign(port, sessionId)) return SILENCE;
      return ack({ StreamID, KeySubStream, PortIndex }, KpAckStatuses.INCORRECT_LENGTH);
    }
    const { value } = request;
    const port = this.#ports[value.PortIndex];
    if (port === undefined) return ack(value, KpAckStatuses.UNSUPPORTED_PORT_INDEX);
    if (this.#foreign(port, sessionId)) return SILENCE;
    const at = keyAddress(value);
    if (at === undefined || toHex(value.IFV) !== INITIAL_IFV_WIRE)
      return ack(value, KpAckStatuses.UNSUPPORTED_VALUE);
    const outcome = port.programKey(at, swapKeyOrder(value.Key), sessionId, decodeIfv(value.IFV));
    if (!outcome.ok)
      return outcome.code === 'UNKNOWN_STREAM'
        ? ack(value, KpAckStatuses.UNSUPPORTED_VALUE)
        : ack(value, KpAckStatuses.UNSPECIFIED_FAILURE);
    return { ...ack(value, KpAckStatuses.SUCCESS), work: KEY_PROGRAM, effects: outcome.effects };
  }

  #goStop(payload: Uint8Array, sessionId: number): VendorOutcome {
    const go = payload[0] === IdekmObjects.K_SET_GO;
    const request = decode(go ? KSetGo : KSetStop, payload);
    if (!request.ok) return invalid();
    const { value } = request;
    const port = this.#ports[value.PortIndex];
    const at = keyAddress(value);
    if (port === undefined || at === undefined) return invalid();
    if (this.#foreign(port, sessionId)) return SILENCE;
    const outcome = go ? port.keySetGo(at) : port.keySetStop(at);
    if (!outcome.ok) return invalid();
    const { StreamID, KeySubStream, PortIndex } = value;
    const fields = { ObjectID: IdekmObjects.K_GOSTOP_ACK, StreamID, KeySubStream, PortIndex };
    return { reply: encode(KGostopAck, fields), work: MESSAGE, effects: outcome.effects };
  }
}

type Addressed = Pick<ValueOf<typeof KSetGo>, 'StreamID' | 'KeySubStream' | 'PortIndex'>;

function ack(to: Addressed, Status: KpAckStatus): VendorOutcome {
  const { StreamID, KeySubStream, PortIndex } = to;
  const fields = { ObjectID: IdekmObjects.KP_ACK, StreamID, Status, KeySubStream, PortIndex };
  return { reply: encode(KpAck, fields), work: MESSAGE, effects: [] };
}

/** The key slot a message names; undefined for a reserved sub-stream. */
function keyAddress(of: Addressed): KeyAddress | undefined {
  const { keySet, direction, subStream } = decodeKeySubStream(of.KeySubStream);
  if (!isSubStream(subStream)) return undefined;
  return { streamId: of.StreamID, keySet, direction, subStream };
}
