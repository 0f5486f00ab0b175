/**
 * SPDM responders on a TCP port, in the DMTF emulators' framing: each connection has an engine of its own,
 * and nothing a peer sends, nor an engine that throws, ends the server. A disconnect drops the
 * connection's state, CONTINUE keeps it for the next to connect, SHUTDOWN drops it and closes our end.
 */

import { createServer, type Socket } from 'node:net';
import { LocalError } from '../../protocols/codec/refusal.ts';
import type { SocketProfile } from './profile.ts';
import { ServedConnection } from './served-connection.ts';
import type { EnginePacket, SocketTransport } from './transport.ts';

/** What the requester emulator may ask to be raised as an encapsulated request. */
export type Trigger = 'KEY_UPDATE' | 'ENDPOINT_INFO';

/** One connection's engine. It is called in order, and may throw: that is counted as our own fault. */
export interface Connection {
  /** the answer, or undefined for silence */
  receive(packet: EnginePacket): EnginePacket | undefined;
  /** the state is given up: sessions end, timers stop */
  closed(): void;
  /** false if nothing can be raised; `sessionId` 0 outside sessions */
  trigger?(what: Trigger, sessionId: number): boolean;
}

/** One line about one connection. `level` fault: the program's own. */
export interface SocketLogEntry {
  /** counts from 1; 0: the server itself */
  readonly connection: number;
  readonly level: 'info' | 'refused' | 'fault';
  /** stable name, as `CONNECTED`, `OVERSIZE` */
  readonly event: string;
  readonly detail: string;
}

export interface ServeOptions {
  readonly host?: string;
  /** 0: one that is free */
  readonly port: number;
  readonly transport: SocketTransport;
  readonly profile: SocketProfile;
  readonly connect: () => Connection;
  readonly log?: (entry: SocketLogEntry) => void;
  /** sees each payload of a NORMAL frame, for captures */
  readonly tap?: (payload: Uint8Array) => void;
  /** a SHUTDOWN came, its connection is closing: the place to end the program */
  readonly onShutdown?: () => void;
  /** further ones are refused; default 64 */
  readonly maxConnections?: number;
  /** bytes; default a whole DOE object */
  readonly payloadBytesMax?: number;
}

export interface SocketServer {
  readonly port: number;
  /** exceptions of engines so far */
  readonly faults: () => number;
  /** engines in use, one kept by CONTINUE included */
  readonly engines: () => number;
  /** closes every connection and stops listening */
  close(): Promise<void>;
}

const HOST_DEFAULT = '127.0.0.1';
const CONNECTIONS_MAX_DEFAULT = 64;

/** What the connections of one server share. */
export class Serving {
  readonly options: ServeOptions;
  readonly live = new Set<ServedConnection>();
  faults = 0;
  /** state a CONTINUE asked to keep */
  #kept: Connection | undefined;
  #count = 0;

  constructor(options: ServeOptions) {
    this.options = options;
  }

  get engines(): number {
    return [...this.live].filter((each) => each.holdsEngine).length + (this.#kept ? 1 : 0);
  }

  log(entry: SocketLogEntry): void {
    this.options.log?.(entry);
  }

  accept(socket: Socket): void {
    this.#count++;
    const served = new ServedConnection(this, socket, this.#count);
    this.live.add(served);
    socket.on('close', () => this.live.delete(served));
  }

  /** The engine for a new connection: the one kept by CONTINUE, or a new one. */
  takeEngine(): { engine: Connection; kept: boolean } {
    const kept = this.#kept;
    this.#kept = undefined;
    return kept === undefined
      ? { engine: this.options.connect(), kept: false }
      : { engine: kept, kept: true };
  }

  /** Keeps an engine for the next connection; the one kept before is given up. */
  keep(engine: Connection): void {
    const before = this.#kept;
    this.#kept = engine;
    if (before !== undefined) this.giveUp(before, 0);
  }

  giveUp(engine: Connection, connection: number): void {
    this.guard(connection, () => engine.closed());
  }

  /** Runs code of an engine: what it throws is logged and counted, and goes no further. */
  guard<T>(connection: number, act: () => T): { ok: true; value: T } | { ok: false } {
    try {
      return { ok: true, value: act() };
    } catch (error) {
      this.faults++;
      const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      this.log({ connection, level: 'fault', event: 'OWN_FAULT', detail });
      return { ok: false };
    }
  }

  close(): void {
    for (const served of this.live) served.destroy();
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept !== undefined) this.giveUp(kept, 0);
  }
}

/**
 * Listens, and serves until closed.
 * @throws Error of node:net (EADDRINUSE, EACCES ...) as a rejection; LocalError on a port out of range
 */
export function serveSockets(options: ServeOptions): Promise<SocketServer> {
  const { port, host = HOST_DEFAULT } = options;
  if (!Number.isInteger(port) || port < 0 || port > 0xffff)
    throw new LocalError(`port: expected 0..65535, got ${port}`);
  const serving = new Serving(options);
  const server = createServer({ noDelay: true }, (socket) => serving.accept(socket));
  server.maxConnections = options.maxConnections ?? CONNECTIONS_MAX_DEFAULT;
  server.on('drop', () =>
    serving.log({
      connection: 0,
      level: 'refused',
      event: 'TOO_MANY_CONNECTIONS',
      detail: `more than ${server.maxConnections} at once`,
    }),
  );
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      server.on('error', (error) =>
        serving.log({ connection: 0, level: 'fault', event: 'LISTEN', detail: error.message }),
      );
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          serving.close();
        });
      const faults = () => serving.faults;
      const engines = () => serving.engines;
      resolve({ port: bound, faults, engines, close });
    });
  });
}
