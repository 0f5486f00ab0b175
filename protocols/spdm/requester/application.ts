/**
 * Messages of other protocols inside a session over MCTP (DSP0276): their own message type byte tells
 * them from SPDM. Over PCI DOE a session carries SPDM alone.
 */

import { concat } from '../../codec/bytes.ts';
import { LocalError, peerFault, refusalText } from '../../codec/refusal.ts';
import type { Exchange, RequesterSession, RequesterState } from './state.ts';

/** ST1 of DSP0274 10.1, for want of a time of the other protocol's own (us). */
const ANSWER_US = 100_000;

/**
 * One message of MCTP message type `type` and its answer, both without the type byte. Faults: AEAD_LIMIT,
 * RECORD, APPLICATION_ANSWER.
 * @throws LocalError unless records travel over MCTP and the session's handshake is done
 */
export function* applicationExchange(
  state: RequesterState,
  session: RequesterSession,
  type: number,
  message: Uint8Array,
): Exchange<Uint8Array> {
  if (state.config.binding.name !== 'MCTP')
    throw new LocalError('state: other protocols share a session over MCTP alone');
  if (!session.established) throw new LocalError('session: its handshake is not done');
  const { keys } = session;
  const end = (code: string, detail: string) => {
    state.sessions.delete(session.id);
    return peerFault(code, detail);
  };
  if (keys.exhausted('request')) return end('AEAD_LIMIT', 'no sequence number is left');
  const clear = concat(Uint8Array.of(type), message);
  state.work.push({ op: 'aead-seal', bytes: clear.length });
  const seal = keys.nextSeal('request');
  const bytes = keys.seal('request', session.id, clear);
  const { work } = state;
  state.work = [];
  const sent = { secured: true, bytes, seal, clear, sessionId: session.id, work };
  const incoming = yield { ...sent, timeoutUs: ANSWER_US };
  if (!incoming.secured)
    return peerFault('APPLICATION_ANSWER', 'a plain message answers inside a session');
  state.work.push({ op: 'aead-open', bytes: incoming.bytes.length });
  const opened = keys.open('response', incoming.bytes);
  if (!opened.ok) return end('RECORD', refusalText(opened));
  if (opened.value[0] !== type)
    return peerFault('APPLICATION_ANSWER', `message type ${opened.value[0]} answers ${type}`);
  return opened.value.slice(1);
}
