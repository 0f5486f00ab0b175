/** The way from an attach to a responder on a socket. */

import { le } from '../../protocols/codec/bytes.ts';
import type { SocketClient } from './client.ts';
import { drive } from './drive.ts';
import type { AttachLink } from './engines.ts';
import { Commands } from './frame.ts';
import type { Trigger } from './server.ts';

const SESSION_ID_BYTES = 4;

const commands: Readonly<Record<Trigger, number>> = {
  KEY_UPDATE: Commands.OOB_ENCAP_KEY_UPDATE,
  ENDPOINT_INFO: Commands.OOB_ENCAP_ENDPOINT_INFO,
};

/** Only KEY_UPDATE is about one session. */
function payloadOf(what: Trigger, sessionId: number | undefined): Uint8Array {
  const named = what === 'KEY_UPDATE' && sessionId !== undefined;
  return named ? le(sessionId, SESSION_ID_BYTES) : new Uint8Array(0);
}

export const socketLink = (client: SocketClient): AttachLink => ({
  drive: (exchange) => drive(exchange, client),
  discover: () => client.discover(),
  async prompt(what, sessionId) {
    const command = commands[what];
    const answer = await client.command(command, payloadOf(what, sessionId));
    return answer.command === command;
  },
});
