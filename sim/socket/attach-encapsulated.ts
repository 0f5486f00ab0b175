/** Encapsulated requests that a responder raises when it is told to (DSP0274 10.17). */

import { encapsulated } from '../../protocols/spdm/requester/encapsulated.ts';
import type { RequesterSession } from '../../protocols/spdm/requester/state.ts';
import { type AttachRun, within } from './attach-run.ts';
import type { Trigger } from './server.ts';

/**
 * Tells the responder outside SPDM to ask something of the requester, as the emulators do, and lets it.
 * Where it does not know the command, whatever it has pending is asked for all the same.
 */
export async function prompted(
  run: AttachRun,
  what: Trigger,
  session?: RequesterSession,
): Promise<void> {
  const name = within(`encapsulated ${what}`, session);
  if (!run.shared('ENCAP_CAP')) return run.absent(name, 'ENCAP_CAP');
  await run.link.prompt(what, session?.id);
  await run.step(name, encapsulated(run.state, session), (count) => `${count} requests answered`);
}
