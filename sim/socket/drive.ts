/** Runs a requester's generator over a connection: what it yields is sent, what came back goes in. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { PeerFault } from '../../protocols/codec/refusal.ts';
import type { Exchange, Outgoing } from '../../protocols/spdm/requester/state.ts';
import type { EnginePacket } from './transport.ts';

/** Where packets go: a `SocketClient`, or a test's stand-in. */
export interface PacketExchange {
  /** `dueMs`: what the responder may take besides the round trip (ST1 or CT, DSP0274 10.1) */
  exchange(packet: EnginePacket, dueMs?: number): Promise<EnginePacket>;
}

/** A request that must not leave before its time: RESPOND_IF_READY after ResponseNotReady. */
type Timed = Outgoing & { readonly waitUs?: number };

const WAIT_MS_MAX = 60_000;

/**
 * Drives `exchange` to its end.
 * @param watch is told each request and its answer
 * @throws whatever the link throws, after the generator was ended
 */
export async function drive<T>(
  exchange: Exchange<T>,
  link: PacketExchange,
  watch?: (sent: Outgoing, received: EnginePacket) => void,
): Promise<T | PeerFault> {
  try {
    let step = exchange.next();
    while (step.done !== true) {
      const sent: Timed = step.value;
      // A peer names the delay: it is kept within reason.
      if (sent.waitUs !== undefined && sent.waitUs > 0)
        await sleep(Math.min(Math.ceil(sent.waitUs / 1000), WAIT_MS_MAX));
      const dueMs = Math.ceil(sent.timeoutUs / 1000);
      const packet = { secured: sent.secured, bytes: sent.bytes };
      const received = await link.exchange(packet, dueMs);
      watch?.(sent, received);
      step = exchange.next(received);
    }
    return step.value;
  } catch (error) {
    exchange.return(undefined as never);
    throw error;
  }
}
