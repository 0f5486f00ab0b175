/** The pair every epoch starts from: all capabilities of one version, in one place of a connection. */

import { toHex } from '../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../protocols/codec/refusal.ts';
import { openPskSession } from '../../protocols/spdm/requester/psk.ts';
import { openSession } from '../../protocols/spdm/requester/session.ts';
import type { Exchange, RequesterSession } from '../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../protocols/spdm/requester/vca.ts';
import { Pair } from '../protocols/spdm/pair.ts';
import { ProvisionedPair } from '../protocols/spdm/provisioned.ts';
import { snapshotOf } from '../protocols/spdm/snapshot.ts';
import { fullOptions, PSK } from './capabilities.ts';
import type { Draw } from './mutate.ts';

export const VERSIONS = [0x10, 0x11, 0x12, 0x13, 0x14] as const;
export const Places = [
  'NOT_STARTED',
  'AFTER_VERSION',
  'AFTER_CAPABILITIES',
  'NEGOTIATED',
  'handshake',
  'psk-handshake',
  'established',
  'several',
] as const;
export type Place = (typeof Places)[number];

export interface World {
  readonly pair: ProvisionedPair;
  readonly place: Place;
  readonly version: number;
  /** the requester's sessions, where the place is in one or more */
  readonly sessions: readonly RequesterSession[];
  /** the good message that would end a handshake */
  readonly finish: Uint8Array | undefined;
}

const OPEN = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
export const OPEN_PSK = { hint: PSK, summaryType: 0, terminationPolicy: 0 } as const;

/** All that a refusal must leave as it was: what the responder remembers, and its keys and slots. */
export function remembered({ responder, store }: ProvisionedPair): string {
  const hex = (_name: string, value: unknown) =>
    value instanceof Uint8Array ? toHex(value) : value;
  const { now, next } = store as unknown as Record<'now' | 'next', unknown>;
  return snapshotOf(responder, { measurements: false }) + JSON.stringify([now, next], hex);
}

/** A pair brought to `place`, or as near to it as its version gets. */
export function worldAt(place: Place, version: number, seed: number, draw: Draw): World {
  const pair = new ProvisionedPair(fullOptions(version, seed, draw));
  pair.onWait = () => {
    const { held } = pair.responder.state;
    if (held !== undefined) pair.responder.ready(held.token);
  };
  const bare = { pair, place, version, sessions: [], finish: undefined };
  if (place === 'NOT_STARTED') return bare;
  if (place === 'AFTER_VERSION' || place === 'AFTER_CAPABILITIES') {
    stopAfter(pair, place === 'AFTER_VERSION' ? 1 : 2);
    return bare;
  }
  pair.authenticate();
  if (place === 'NEGOTIATED' || version < 0x11) return { ...bare, place: 'NEGOTIATED' };
  if (place === 'established') return { ...bare, sessions: [pair.session()] };
  if (place === 'several') {
    const psk = pair.good(openPskSession(pair.requester, OPEN_PSK));
    return { ...bare, sessions: [pair.session(), psk, pair.session()] };
  }
  const { requester } = pair;
  const finish =
    place === 'handshake'
      ? upToFinish(pair, openSession(requester, OPEN))
      : upToFinish(pair, openPskSession(requester, OPEN_PSK));
  return { ...bare, sessions: [...requester.sessions.values()], finish };
}

const FINISH = 0xe5;
const PSK_FINISH = 0xe7;

/** A handshake up to its last request, which is handed out unsent; none: there is nothing to finish. */
function upToFinish(
  pair: ProvisionedPair,
  exchange: Exchange<RequesterSession>,
): Uint8Array | undefined {
  let step = exchange.next();
  while (!step.done) {
    const { clear, bytes, secured, waitUs } = step.value;
    if (clear[1] === FINISH || clear[1] === PSK_FINISH) {
      // Its record is not sent: the next one takes its place.
      for (const { keys } of pair.requester.sessions.values())
        if (secured)
          (keys as unknown as { directions: { request: { sequence: number } } }).directions.request
            .sequence--;
      return clear;
    }
    if (waitUs !== undefined) pair.onWait(waitUs);
    step = exchange.next(pair.send({ secured, bytes })!);
  }
  if (isPeerFault(step.value)) throw new Error(`${step.value.code}: ${step.value.detail}`);
  return undefined;
}

/** VCA up to its first or second exchange. */
function stopAfter(pair: ProvisionedPair, exchanges: number): void {
  const whole = new Pair(pair.options);
  whole.good(negotiate(whole.requester));
  for (const { request } of whole.wire.slice(0, exchanges)) pair.send(request);
}
