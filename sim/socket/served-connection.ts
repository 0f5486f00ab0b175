/** One accepted connection: frames in, the engine's answers out, and what each command means. */

import type { Socket } from 'node:net';
import { ascii, concat, readLE } from '../../protocols/codec/bytes.ts';
import { refusalText } from '../../protocols/codec/refusal.ts';
import {
  Commands,
  commandName,
  Deframer,
  encodeFrame,
  type Frame,
  type FrameHead,
  TransportTypes,
  transportTypeName,
} from './frame.ts';
import type { Situation } from './profile.ts';
import type { Connection, Serving, SocketLogEntry, Trigger } from './server.ts';

const EMPTY = new Uint8Array(0);
/** The emulators greet with a C string, its NUL included. */
const GREETING = concat(ascii('Server Hello!'), Uint8Array.of(0));
/** NVMe status Invalid Field in Command, big-endian. */
const STORAGE_INVALID_FIELD = Uint8Array.of(0x00, 0x02);

const triggers: Readonly<Record<number, Trigger>> = {
  [Commands.OOB_ENCAP_KEY_UPDATE]: 'KEY_UPDATE',
  [Commands.OOB_ENCAP_ENDPOINT_INFO]: 'ENDPOINT_INFO',
};

export class ServedConnection {
  readonly #serving: Serving;
  readonly #socket: Socket;
  readonly #id: number;
  readonly #deframer: Deframer;
  /** made at the first NORMAL frame: a port scan costs no engine */
  #engine: Connection | undefined;
  /** no frame is taken any more */
  #over = false;

  constructor(serving: Serving, socket: Socket, id: number) {
    this.#serving = serving;
    this.#socket = socket;
    this.#id = id;
    this.#deframer = new Deframer(serving.options.payloadBytesMax);
    const from = `${socket.remoteAddress ?? 'a peer'}:${socket.remotePort ?? 0}`;
    this.#log('info', 'CONNECTED', from);
    socket.on('data', (chunk) => this.#data(chunk));
    // A peer that does not read its answers is not read either.
    socket.on('drain', () => socket.resume());
    socket.on('error', (error) => this.#log('info', 'SOCKET', error.message));
    socket.on('close', () => this.#closed());
  }

  get holdsEngine(): boolean {
    return this.#engine !== undefined;
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
    this.#closed();
  }

  #log(level: SocketLogEntry['level'], event: string, detail: string): void {
    this.#serving.log({ connection: this.#id, level, event, detail });
  }

  #closed(): void {
    if (!this.#over || this.#engine !== undefined) {
      const cut = this.#deframer.idle ? '' : ' in the middle of a frame';
      this.#log('info', 'DISCONNECTED', `the connection ended${cut}`);
    }
    this.#over = true;
    this.#drop();
  }

  #drop(): void {
    const engine = this.#engine;
    this.#engine = undefined;
    if (engine !== undefined) this.#serving.giveUp(engine, this.#id);
  }

  #data(chunk: Uint8Array): void {
    for (const item of this.#deframer.push(chunk)) {
      if (this.#over) return;
      if (item.ok) this.#frame(item.frame);
      else this.#react('OVERSIZE', item.head, refusalText(item.refusal));
    }
  }

  #send(head: FrameHead, payload: Uint8Array): void {
    const room = this.#socket.write(encodeFrame({ ...head, payload }));
    if (!room) this.#socket.pause();
  }

  /** Flushes what was written and closes our end; a peer that keeps its own open does not hold us. */
  #end(): void {
    this.#over = true;
    this.#socket.destroySoon();
  }

  /** There is no SPDM answer: what the profile does then. */
  #react(situation: Situation, head: FrameHead, detail: string): void {
    const reaction = this.#serving.options.profile.reactions[situation];
    const means = { nothing: 'not answered', empty: 'answered empty', close: 'closed' }[reaction];
    if (situation !== 'OWN_FAULT') this.#log('refused', situation, `${detail}; ${means}`);
    if (reaction === 'empty') this.#send(head, EMPTY);
    if (reaction === 'close') {
      this.#drop();
      this.#end();
    }
  }

  #frame(frame: Frame): void {
    switch (frame.command) {
      case Commands.NORMAL:
        return this.#normal(frame);
      case Commands.TEST:
        return this.#send(frame, GREETING);
      case Commands.SHUTDOWN:
        return this.#shutdown(frame);
      case Commands.CONTINUE:
        return this.#continue(frame);
      case Commands.OOB_ENCAP_KEY_UPDATE:
      case Commands.OOB_ENCAP_ENDPOINT_INFO:
        return this.#trigger(frame);
      case Commands.STORAGE_SEND:
      case Commands.STORAGE_RECEIVE:
        if (frame.transport === TransportTypes.NVME) return this.#storage(frame);
    }
    this.#unknown(frame);
  }

  #normal(frame: Frame): void {
    const { transport, tap } = this.#serving.options;
    if (frame.transport !== transport.type) {
      const theirs = transportTypeName(frame.transport);
      const detail = `the peer speaks ${theirs}; start it, or us, with --trans ${transport.name}`;
      return this.#react('TRANSPORT_MISMATCH', frame, detail);
    }
    tap?.(frame.payload);
    const read = transport.unwrap(frame.payload);
    if (read.kind === 'refused')
      return this.#react('UNDECODABLE', frame, refusalText(read.refusal));
    if (read.kind === 'foreign') return this.#react('FOREIGN', frame, read.name);
    if (read.kind === 'answer') return this.#answer(frame, read.payload);
    const made = this.#serving.guard(this.#id, () => {
      const answer = this.#engineNow().receive(read.packet);
      return answer === undefined ? undefined : transport.wrap(answer);
    });
    if (!made.ok) return this.#react('OWN_FAULT', frame, '');
    if (made.value === undefined) return this.#react('SILENCE', frame, 'the device is silent');
    this.#answer(frame, made.value);
  }

  #engineNow(): Connection {
    if (this.#engine === undefined) {
      const { engine, kept } = this.#serving.takeEngine();
      this.#engine = engine;
      if (kept) this.#log('info', 'CONTINUED', 'with the state an earlier connection left');
    }
    return this.#engine;
  }

  #answer(head: FrameHead, payload: Uint8Array): void {
    const { profile, tap } = this.#serving.options;
    if (payload.length > profile.answerBytesMax) {
      const detail = `${payload.length} bytes, ${profile.name} takes ${profile.answerBytesMax}`;
      return this.#react('ANSWER_TOO_LARGE', head, detail);
    }
    tap?.(payload);
    this.#send(head, payload);
  }

  #shutdown(frame: Frame): void {
    this.#log('info', 'SHUTDOWN', 'state dropped, our end closed');
    this.#drop();
    this.#send(frame, EMPTY);
    this.#end();
    this.#serving.options.onShutdown?.();
  }

  #continue(frame: Frame): void {
    const engine = this.#engine;
    this.#engine = undefined;
    this.#log('info', 'CONTINUE', 'state kept for the next connection, our end closed');
    if (engine !== undefined) this.#serving.keep(engine);
    this.#send(frame, EMPTY);
    this.#end();
  }

  #trigger(frame: Frame): void {
    const what = triggers[frame.command]!;
    const sessionId = frame.payload.length === 4 ? readLE(frame.payload, 0, 4) : 0;
    const engine = this.#engine;
    const raised = this.#serving.guard(this.#id, () => engine?.trigger?.(what, sessionId) ?? false);
    if (!raised.ok) return this.#react('OWN_FAULT', frame, '');
    if (raised.value) return this.#send(frame, EMPTY);
    // The requester emulator asks without knowing whether it will be had: it is told, and stays.
    this.#log('refused', 'TRIGGER', `${what} cannot be raised`);
    this.#send({ command: Commands.UNKNOWN, transport: frame.transport }, EMPTY);
  }

  /** Silence would stop the whole virtual machine: the command fails, the guest goes on. */
  #storage(frame: Frame): void {
    this.#log('refused', 'STORAGE', `${commandName(frame.command)} is not served`);
    this.#send({ ...frame, command: Commands.STORAGE_STATUS }, STORAGE_INVALID_FIELD);
  }

  #unknown(frame: Frame): void {
    const { unknownCommand } = this.#serving.options.profile;
    this.#log('refused', 'UNKNOWN_COMMAND', `${commandName(frame.command)}; ${unknownCommand}`);
    this.#send({ command: Commands.UNKNOWN, transport: frame.transport }, EMPTY);
    if (unknownCommand === 'stay') return;
    this.#drop();
    this.#end();
  }
}
