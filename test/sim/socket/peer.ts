/** What the socket tests share: echoing engines, a raw peer on a socket, servers that close by themselves. */

import { connect, type Socket } from 'node:net';
import { concat } from '../../../protocols/codec/bytes.ts';
import { type Deframed, Deframer, encodeFrame, type Frame } from '../../../sim/socket/frame.ts';
import { type SocketProfileName, socketProfiles } from '../../../sim/socket/profile.ts';
import {
  type Connection,
  type ServeOptions,
  type SocketLogEntry,
  type SocketServer,
  serveSockets,
} from '../../../sim/socket/server.ts';
import {
  type EnginePacket,
  type SocketTransportName,
  socketTransports,
} from '../../../sim/socket/transport.ts';

/** Answers each packet with its number and the packet; `ff` throws, `00` is met with silence. */
export class Echo implements Connection {
  count = 0;
  closedCount = 0;
  readonly triggered: string[] = [];
  receive({ secured, bytes }: EnginePacket): EnginePacket | undefined {
    if (bytes[0] === 0xff) throw new TypeError('engine broke');
    if (bytes[0] === 0) return undefined;
    this.count++;
    return { secured, bytes: concat(Uint8Array.of(this.count), bytes) };
  }
  closed(): void {
    this.closedCount++;
  }
}

export interface Running {
  readonly server: SocketServer;
  readonly engines: Echo[];
  readonly log: SocketLogEntry[];
  readonly events: () => string[];
}

/** Runs `act` against a server, and closes it whatever happens. */
export async function withServer(
  profile: SocketProfileName,
  transport: SocketTransportName,
  act: (running: Running) => Promise<void>,
  more: Partial<ServeOptions> = {},
): Promise<void> {
  const engines: Echo[] = [];
  const log: SocketLogEntry[] = [];
  const server = await serveSockets({
    port: 0,
    transport: socketTransports[transport],
    profile: socketProfiles[profile],
    connect: () => {
      const engine = new Echo();
      engines.push(engine);
      return engine;
    },
    log: (entry) => log.push(entry),
    ...more,
  });
  try {
    await act({ server, engines, log, events: () => log.map(({ event }) => event) });
  } finally {
    await server.close();
  }
}

/** A peer that sends bytes as they are and reads frames. */
export class RawPeer {
  readonly socket: Socket;
  readonly #deframer = new Deframer();
  readonly #found: Deframed[] = [];
  #ended = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#found.push(...this.#deframer.push(chunk));
      this.#wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  static open(port: number): Promise<RawPeer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawPeer(socket));
      });
    });
  }

  send(command: number, payload: Uint8Array, transport = 1): void {
    this.socket.write(encodeFrame({ command, transport, payload }));
  }

  /** The next frame; 'closed' if the connection ends before one comes. */
  async next(): Promise<Frame | 'closed'> {
    for (;;) {
      const item = this.#found.shift();
      if (item?.ok) return item.frame;
      if (this.#ended) return 'closed';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Waits until `true`, a few milliseconds at a time. */
export async function until(what: () => boolean, limitMs = 2000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!what()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
