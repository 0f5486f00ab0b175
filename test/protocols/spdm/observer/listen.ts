/** A listener beside a pair of parties: it hears what went over the wire and is told their secrets. */

import { leafKeyOfChain } from '../../../../protocols/spdm/leaf-key.ts';
import {
  type ObservedContent,
  type ObservedMessage,
  type ObserverOptions,
  SpdmObserver,
} from '../../../../protocols/spdm/observer/observer.ts';
import type { KeyLogEntry } from '../../../../protocols/spdm/party.ts';
import type { Packet } from '../../../../protocols/spdm/responder/responder.ts';
import { doeBinding } from '../../../../protocols/spdm/secured-message.ts';
import { crypto, Pair, type PairOptions } from '../pair.ts';

export interface Loud {
  readonly pair: Pair;
  readonly keyLog: KeyLogEntry[];
}

/** A pair whose requester tells its secrets. */
export function loudPair(options: PairOptions = {}): Loud {
  const keyLog: KeyLogEntry[] = [];
  const tell = (entry: KeyLogEntry) => void keyLog.push(entry);
  const pair = new Pair({ ...options, requester: { keyLog: tell, ...options.requester } });
  return { pair, keyLog };
}

export function listener(loud: Loud, options: Partial<ObserverOptions> = {}): SpdmObserver {
  return new SpdmObserver({
    crypto,
    binding: loud.pair.options.requester?.binding ?? doeBinding,
    leafKey: leafKeyOfChain,
    describeVendor: () => ({ protocol: 'echo', name: 'echo', fields: [] }),
    keyLog: loud.keyLog,
    ...options,
  });
}

export const packetsOf = ({ pair }: Loud): Packet[] =>
  pair.wire.flatMap(({ request, response }) =>
    response === undefined ? [request] : [request, response],
  );

export function hear(observer: SpdmObserver, packets: readonly Packet[]): ObservedMessage[] {
  return packets.map(({ secured, bytes }) =>
    secured ? observer.secured(bytes) : observer.plain(bytes),
  );
}

/** All a listener says of a conversation. */
export const heardOf = (loud: Loud, options: Partial<ObserverOptions> = {}): ObservedMessage[] =>
  hear(listener(loud, options), packetsOf(loud));

/** As `CHALLENGE_AUTH Signature: verified`. */
export const checksOf = (heard: readonly ObservedMessage[]): string[] =>
  heard.flatMap(({ checks }) => checks.map(({ what, result }) => `${what}: ${result}`));

/** What could not be read or opened, or did not verify. */
export const faultsOf = (heard: readonly ObservedMessage[]): string[] =>
  heard.flatMap(({ name, refusal, checks }) => [
    ...(refusal === undefined
      ? []
      : [`${name}: ${refusal.code} ${refusal.path} ${refusal.detail}`]),
    ...checks
      .filter(({ result }) => result !== 'verified')
      .map(({ what, result, detail }) => `${what}: ${result} ${detail}`),
  ]);

/** Names of whole messages, those that came in chunks in the place of their chunks. */
export function namesOf(heard: readonly ObservedContent[]): string[] {
  const carriers = ['CHUNK_SEND', 'CHUNK_SEND_ACK', 'CHUNK_GET', 'CHUNK_RESPONSE'];
  const isLarge = (one: ObservedContent) =>
    one.name === 'ERROR' && one.fields.some(({ text }) => text.endsWith('LargeResponse'));
  return heard.flatMap((one) => {
    if (one.carried !== undefined) return namesOf([one.carried.message]);
    return carriers.includes(one.name) || isLarge(one) ? [] : [one.name];
  });
}
