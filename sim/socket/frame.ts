/**
 * The frames in which the DMTF emulators (spdm_requester_emu, spdm_responder_emu) and QEMU's `spdm_port`
 * carry messages over TCP: command, transport type and payload size, each 32 bits big-endian, then the
 * payload. Codes and codec only; who answers what is the server's and the client's business.
 */

import { type Refusal, RefusalCodes, refuse } from '../../protocols/codec/refusal.ts';
import { OBJECT_BYTES_MAX } from '../../protocols/doe/object.ts';

export const Commands = {
  NORMAL: 0x0001,
  /** QEMU's NVMe transport: Security Send, Security Receive and the status that answers either */
  STORAGE_SEND: 0x0002,
  STORAGE_RECEIVE: 0x0003,
  STORAGE_STATUS: 0x0004,
  /** the requester emulator asks for an encapsulated KEY_UPDATE or GET_ENDPOINT_INFO to be raised */
  OOB_ENCAP_KEY_UPDATE: 0x8001,
  OOB_ENCAP_ENDPOINT_INFO: 0x8002,
  TEST: 0xdead,
  CONTINUE: 0xfffd,
  SHUTDOWN: 0xfffe,
  UNKNOWN: 0xffff,
} as const;

export const TransportTypes = { NONE: 0, MCTP: 1, PCI_DOE: 2, TCP: 3, NVME: 4 } as const;

const nameIn = (table: Readonly<Record<string, number>>, code: number): string =>
  Object.keys(table).find((name) => table[name] === code) ?? `0x${code.toString(16)}`;
export const commandName = (command: number): string => nameIn(Commands, command);
export const transportTypeName = (type: number): string => nameIn(TransportTypes, type);

export const FRAME_HEADER_BYTES = 12;
/** The largest payload taken by default: a whole DOE object. */
export const PAYLOAD_BYTES_MAX = OBJECT_BYTES_MAX;
const FIRST_CAPACITY_BYTES = 4096;

export interface FrameHead {
  readonly command: number;
  readonly transport: number;
}
export interface Frame extends FrameHead {
  readonly payload: Uint8Array;
}

/** A frame, or the head of one whose payload is longer than the limit and is skipped. */
export type Deframed =
  | { readonly ok: true; readonly frame: Frame }
  | { readonly ok: false; readonly head: FrameHead; readonly refusal: Refusal };

/** The whole frame as one buffer, so that one write sends it and Nagle has nothing to hold back. */
export function encodeFrame(frame: Frame): Uint8Array {
  const out = new Uint8Array(FRAME_HEADER_BYTES + frame.payload.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, frame.command);
  view.setUint32(4, frame.transport);
  view.setUint32(8, frame.payload.length);
  out.set(frame.payload, FRAME_HEADER_BYTES);
  return out;
}

/**
 * Puts frames together from a byte stream cut anywhere. A payload above the limit is told as soon as its
 * header is there and then skipped without being kept, so the stream stays in step.
 */
export class Deframer {
  readonly #limit: number;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  #payload = new Uint8Array(0);
  #payloadBytes = 0;
  #size = 0;
  #skip = 0;

  /** @param limit bytes of the largest payload taken */
  constructor(limit = PAYLOAD_BYTES_MAX) {
    this.#limit = limit;
  }

  /** True between frames: an end of the stream here cuts nothing off. */
  get idle(): boolean {
    return this.#headerBytes === 0 && this.#skip === 0;
  }

  /** What `chunk` completes, in order. */
  push(chunk: Uint8Array): Deframed[] {
    const done: Deframed[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
      } else if (this.#headerBytes < FRAME_HEADER_BYTES) {
        at += this.#takeHeader(chunk.subarray(at), done);
      } else {
        at += this.#takePayload(chunk.subarray(at), done);
      }
    }
    return done;
  }

  #head(): FrameHead {
    const view = new DataView(this.#header.buffer);
    return { command: view.getUint32(0), transport: view.getUint32(4) };
  }

  #takeHeader(bytes: Uint8Array, done: Deframed[]): number {
    const part = bytes.subarray(0, FRAME_HEADER_BYTES - this.#headerBytes);
    this.#header.set(part, this.#headerBytes);
    this.#headerBytes += part.length;
    if (this.#headerBytes < FRAME_HEADER_BYTES) return part.length;
    this.#size = new DataView(this.#header.buffer).getUint32(8);
    if (this.#size > this.#limit) {
      const detail = `${this.#size} bytes announced, at most ${this.#limit} are taken`;
      const refusal = refuse(RefusalCodes.OVER_LIMIT, 'PayloadSize', 8, detail);
      done.push({ ok: false, head: this.#head(), refusal });
      this.#skip = this.#size;
      this.#headerBytes = 0;
    } else {
      this.#payload = new Uint8Array(Math.min(this.#size, FIRST_CAPACITY_BYTES));
      this.#payloadBytes = 0;
      if (this.#size === 0) this.#finish(done);
    }
    return part.length;
  }

  /** Room grows with what arrives: a header alone reserves no megabyte. */
  #takePayload(bytes: Uint8Array, done: Deframed[]): number {
    const part = bytes.subarray(0, this.#size - this.#payloadBytes);
    const needed = this.#payloadBytes + part.length;
    if (needed > this.#payload.length) {
      const grown = new Uint8Array(
        Math.min(this.#size, Math.max(needed, 2 * this.#payload.length)),
      );
      grown.set(this.#payload.subarray(0, this.#payloadBytes));
      this.#payload = grown;
    }
    this.#payload.set(part, this.#payloadBytes);
    this.#payloadBytes = needed;
    if (needed === this.#size) this.#finish(done);
    return part.length;
  }

  #finish(done: Deframed[]): void {
    done.push({ ok: true, frame: { ...this.#head(), payload: this.#payload } });
    this.#payload = new Uint8Array(0);
    this.#headerBytes = 0;
  }
}
