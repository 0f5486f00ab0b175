/**
 * HEARTBEAT in time (DSP0274 10.16): over a slow way one series of requests, as measurements one by one,
 * takes longer than the responder keeps a session without it.
 */

import { heartbeat } from '../../protocols/spdm/requester/session-life.ts';
import type {
  Exchange,
  RequesterSession,
  RequesterState,
} from '../../protocols/spdm/requester/state.ts';

const MS_PER_S = 1000;

export class Heartbeats {
  readonly #state: RequesterState;
  readonly #clock: () => number;
  /** when the responder last began to count, ms */
  readonly #since = new WeakMap<RequesterSession, number>();

  /** @param clock milliseconds since whenever */
  constructor(state: RequesterState, clock: () => number) {
    this.#state = state;
    this.#clock = clock;
  }

  /**
   * Sends HEARTBEAT if half a period has passed since the last, or since the session was first asked
   * about. Between GET_MEASUREMENTS it starts L1/L2 anew, so not while a signature over them is to come.
   */
  *due(session: RequesterSession | undefined): Exchange<true> {
    if (session === undefined || session.heartbeatPeriod === 0) return true;
    const now = this.#clock();
    const since = this.#since.get(session);
    if (since !== undefined && now - since < (session.heartbeatPeriod * MS_PER_S) / 2) return true;
    this.#since.set(session, now);
    if (since === undefined) return true;
    return yield* heartbeat(this.#state, session);
  }
}
