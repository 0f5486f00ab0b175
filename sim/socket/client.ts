/**
 * The requester's end of the DMTF emulators' framing: connects, greets with TEST as the emulators do,
 * exchanges one packet at a time and takes leave with SHUTDOWN or CONTINUE. What goes wrong on the way is
 * a `SocketError` whose message says what to do next; what the peer says wrong is not judged here.
 */

import { connect, type Socket } from 'node:net';
import { ascii, concat } from '../../protocols/codec/bytes.ts';
import { decode } from '../../protocols/codec/layout.ts';
import { LocalError, refusalText } from '../../protocols/codec/refusal.ts';
import type { DoeObjectType } from '../../protocols/doe/object.ts';
import {
  decodeObject,
  discoveryResponse,
  encodeDiscoveryRequest,
} from '../../protocols/doe/object.ts';
import {
  Commands,
  commandName,
  Deframer,
  encodeFrame,
  type Frame,
  transportTypeName,
} from './frame.ts';
import { type EnginePacket, type SocketTransport, unwrapAnswer } from './transport.ts';

export const SocketErrors = {
  CONNECT: 'CONNECT',
  CONNECT_TIMEOUT: 'CONNECT_TIMEOUT',
  ANSWER_TIMEOUT: 'ANSWER_TIMEOUT',
  CLOSED: 'CLOSED',
  GREETING: 'GREETING',
  COMMAND: 'COMMAND',
  TRANSPORT: 'TRANSPORT',
  EMPTY_ANSWER: 'EMPTY_ANSWER',
  BAD_ANSWER: 'BAD_ANSWER',
  OVERSIZE: 'OVERSIZE',
  UNSOLICITED: 'UNSOLICITED',
  DISCOVERY: 'DISCOVERY',
} as const;
export type SocketErrorCode = keyof typeof SocketErrors;

/** The connection, not the peer's SPDM, went wrong; the message says what to do next. */
export class SocketError extends Error {
  override readonly name = 'SocketError';
  readonly code: SocketErrorCode;
  constructor(code: SocketErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ClientOptions {
  readonly host: string;
  readonly port: number;
  readonly transport: SocketTransport;
  /** TEST before anything else; default: true except for transport NONE, as the emulators have it */
  readonly greet?: boolean;
  /** default 5000 */
  readonly connectTimeoutMs?: number;
  /** default 30000: a reference build may take seconds for one signature */
  readonly answerTimeoutMs?: number;
  /** sees each payload of a NORMAL frame, for captures */
  readonly tap?: (payload: Uint8Array) => void;
}

export type Leave = 'SHUTDOWN' | 'CONTINUE' | 'NONE';

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 30_000;
const LEAVE_TIMEOUT_MS = 2_000;
const EMPTY = new Uint8Array(0);
const GREETING = concat(ascii('Client Hello!'), Uint8Array.of(0));

interface Waiting {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: SocketError) => void;
}

const connectHints: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there: start the responder first, or check --host and --port',
  ENOTFOUND: 'no such host: check --host',
  EHOSTUNREACH: 'no route to that host: check --host',
  ENETUNREACH: 'no route to that network: check --host',
};

function connectError(error: NodeJS.ErrnoException, place: string): SocketError {
  const hint = connectHints[error.code ?? ''] ?? 'check --host and --port';
  return new SocketError(
    'CONNECT',
    `cannot connect to ${place}: ${error.code ?? error.message}; ${hint}`,
  );
}

export class SocketClient {
  readonly #socket: Socket;
  readonly #options: ClientOptions;
  readonly #deframer = new Deframer();
  #waiting: Waiting | undefined;
  #failure: SocketError | undefined;

  private constructor(socket: Socket, options: ClientOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('data', (chunk) => this.#data(chunk));
    socket.on('error', (error) => this.#fail('CLOSED', `the connection broke: ${error.message}`));
    socket.on('close', () =>
      this.#fail('CLOSED', 'the responder closed the connection; its own output may say why'),
    );
  }

  get transport(): SocketTransport {
    return this.#options.transport;
  }

  /** Connects and greets. @throws SocketError as a rejection */
  static async connect(options: ClientOptions): Promise<SocketClient> {
    const socket = await SocketClient.#open(options);
    const client = new SocketClient(socket, options);
    if (options.greet ?? options.transport.name !== 'NONE') {
      try {
        await client.greet();
      } catch (error) {
        socket.destroy();
        throw error;
      }
    }
    return client;
  }

  static #open({
    host,
    port,
    connectTimeoutMs = CONNECT_TIMEOUT_MS,
  }: ClientOptions): Promise<Socket> {
    const place = `${host}:${port}`;
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      const timer = setTimeout(() => {
        socket.destroy();
        const hint = 'a firewall may drop it; check --host and --port';
        reject(
          new SocketError(
            'CONNECT_TIMEOUT',
            `${place} took no connection in ${connectTimeoutMs} ms; ${hint}`,
          ),
        );
      }, connectTimeoutMs);
      const failed = (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        reject(connectError(error, place));
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', failed);
        resolve(socket);
      });
    });
  }

  #fail(code: SocketErrorCode, message: string): void {
    this.#failure ??= new SocketError(code, message);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(this.#failure);
  }

  #data(chunk: Uint8Array): void {
    for (const item of this.#deframer.push(chunk)) {
      const waiting = this.#waiting;
      if (!item.ok)
        this.#fail('OVERSIZE', `an answer too long to be one: ${refusalText(item.refusal)}`);
      else if (waiting === undefined)
        this.#fail(
          'UNSOLICITED',
          'the responder sent more than it was asked for: out of step, reconnect',
        );
      else {
        this.#waiting = undefined;
        waiting.resolve(item.frame);
      }
    }
  }

  /**
   * Sends one frame and waits for the next.
   * @throws LocalError while another answer is awaited; SocketError as a rejection
   */
  command(command: number, payload: Uint8Array, timeoutMs?: number): Promise<Frame> {
    if (this.#waiting !== undefined) throw new LocalError('command: an answer is still awaited');
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const limit = timeoutMs ?? this.#patienceMs();
    return new Promise<Frame>((resolve, reject) => {
      const name = commandName(command);
      const hint = 'it may be silent by design, busy, or no SPDM responder; see --timeout';
      const timer = setTimeout(
        () => this.#fail('ANSWER_TIMEOUT', `no answer to ${name} in ${limit} ms; ${hint}`),
        limit,
      );
      const settle =
        <T>(act: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          act(value);
        };
      this.#waiting = { resolve: settle(resolve), reject: settle(reject) };
      const transport = this.#options.transport.type;
      this.#socket.write(encodeFrame({ command, transport, payload }));
    });
  }

  /** What the way there and back may take. */
  #patienceMs(): number {
    return this.#options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
  }

  /** TEST, as the emulators greet. @throws SocketError as a rejection */
  async greet(): Promise<void> {
    const frame = await this.command(Commands.TEST, GREETING);
    if (frame.command === Commands.TEST) return;
    const name = commandName(frame.command);
    throw new SocketError('GREETING', `TEST was answered with ${name}; is it an SPDM responder?`);
  }

  async #normal(payload: Uint8Array, dueMs = 0): Promise<Uint8Array> {
    this.#options.tap?.(payload);
    const frame = await this.command(Commands.NORMAL, payload, this.#patienceMs() + dueMs);
    const { transport } = this.#options;
    if (frame.command !== Commands.NORMAL) {
      const name = commandName(frame.command);
      throw new SocketError('COMMAND', `the responder answered with command ${name}; try --trans`);
    }
    if (frame.transport !== transport.type) {
      const theirs = transportTypeName(frame.transport);
      throw new SocketError('TRANSPORT', `the responder speaks ${theirs}; try --trans ${theirs}`);
    }
    if (frame.payload.length === 0)
      throw new SocketError('EMPTY_ANSWER', 'an answer without payload: the responder has none');
    this.#options.tap?.(frame.payload);
    return frame.payload;
  }

  /** One request and its answer, due within `dueMs` besides the round trip. @throws SocketError as a rejection */
  async exchange(packet: EnginePacket, dueMs = 0): Promise<EnginePacket> {
    const { transport } = this.#options;
    const payload = await this.#normal(transport.wrap(packet), dueMs);
    const answer = unwrapAnswer(transport, payload);
    if (answer.ok) return answer.value;
    throw new SocketError('BAD_ANSWER', `no ${transport.name} answer: ${refusalText(answer)}`);
  }

  /** DOE Discovery to its end; undefined on other transports. @throws SocketError as a rejection */
  async discover(): Promise<readonly DoeObjectType[] | undefined> {
    if (this.#options.transport.name !== 'PCI_DOE') return undefined;
    const found: DoeObjectType[] = [];
    const seen = new Set<number>();
    for (let index = 0; !seen.has(index) && seen.size < 256; ) {
      seen.add(index);
      const object = decodeObject(await this.#normal(encodeDiscoveryRequest(index)));
      if (!object.ok) throw new SocketError('DISCOVERY', `no DOE object: ${refusalText(object)}`);
      const entry = decode(discoveryResponse, object.value.payload, {}, { trailing: 'leave' });
      if (!entry.ok) throw new SocketError('DISCOVERY', refusalText(entry));
      const { VendorID, DataObjectType, NextIndex } = entry.value;
      found.push({ VendorID, DataObjectType });
      if (NextIndex === 0) return found;
      index = NextIndex;
    }
    throw new SocketError('DISCOVERY', 'the list of data object types leads in a circle');
  }

  /** Takes leave and closes. A responder that does not answer the leave is left all the same. */
  async close(leave: Leave = 'SHUTDOWN'): Promise<void> {
    if (leave !== 'NONE' && this.#failure === undefined && this.#waiting === undefined)
      await this.command(Commands[leave], EMPTY, LEAVE_TIMEOUT_MS).catch(() => undefined);
    this.#failure ??= new SocketError('CLOSED', 'this end has closed the connection; connect anew');
    this.#socket.destroy();
  }
}
