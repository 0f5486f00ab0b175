/** Good messages to start from: samples of every layout, our own conversations, and recorded traffic. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DoeTypes, decodeObject } from '../../protocols/doe/object.ts';
import { isRequest } from '../../protocols/spdm/codes.ts';
import { samples } from '../protocols/spdm/messages/samples.ts';
import { coursesOf } from './courses.ts';
import { Draw } from './mutate.ts';
import { VERSIONS, worldAt } from './world.ts';

const CAPTURES = fileURLToPath(new URL('../../../shared/captures/', import.meta.url));
const PCAP_HEAD_SIZE = 24;
const PACKET_HEAD_SIZE = 16;
const LINK_TYPE_PCI_DOE = 292;

/** Plain SPDM messages of a capture of DOE objects. */
function plainMessages(pcap: Uint8Array): Uint8Array[] {
  const view = new DataView(pcap.buffer, pcap.byteOffset, pcap.length);
  if (view.getUint32(20, true) !== LINK_TYPE_PCI_DOE) return [];
  const messages: Uint8Array[] = [];
  for (let at = PCAP_HEAD_SIZE; at + PACKET_HEAD_SIZE <= pcap.length; ) {
    const size = view.getUint32(at + 8, true);
    const start = at + PACKET_HEAD_SIZE;
    const object = decodeObject(pcap.subarray(start, start + size));
    if (object.ok && object.value.DataObjectType === DoeTypes.CMA_SPDM)
      messages.push(object.value.payload);
    at = start + size;
  }
  return messages;
}

function recordedMessages(): Uint8Array[] {
  if (!existsSync(CAPTURES)) return [];
  return (
    readdirSync(CAPTURES)
      .filter((name) => name.endsWith('.pcap'))
      // A Buffer's slice is a view: what is mutated must be a copy.
      .flatMap((name) => plainMessages(new Uint8Array(readFileSync(join(CAPTURES, name)))))
  );
}

export interface Corpus {
  readonly requests: readonly Uint8Array[];
  /** the requests by their SPDMVersion byte */
  readonly byVersion: ReadonlyMap<number, readonly Uint8Array[]>;
  readonly responses: readonly Uint8Array[];
  /** messages taken from recorded traffic, in both */
  readonly recorded: number;
}

const key = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Both sides' messages of every exchange a requester knows, as a good one goes. */
function ownMessages(version: number, seed: number): Uint8Array[] {
  const draw = new Draw(seed);
  const { pair } = worldAt('NEGOTIATED', version, seed, draw);
  const messages: Uint8Array[] = [];
  const receive = pair.responder.receive.bind(pair.responder);
  pair.responder.receive = (packet) => {
    const outcome = receive(packet);
    messages.push(outcome.request, ...(outcome.answer === undefined ? [] : [outcome.answer]));
    return outcome;
  };
  const inside = () => [...pair.requester.sessions.values()][0] ?? pair.session();
  for (const { inSession, start } of coursesOf(version))
    pair.run(start(pair.requester, inSession ? inside() : undefined, pair));
  return messages.filter(({ length }) => length <= LONGEST);
}

const LONGEST = 3000;
const OWN_SEEDS = [1, 2, 3] as const;

export function buildCorpus(): Corpus {
  const own = VERSIONS.flatMap((version) =>
    OWN_SEEDS.flatMap((seed) => ownMessages(version, seed)),
  );
  const recorded = recordedMessages();
  const all = [...samples.map(({ bytes }) => bytes), ...own, ...recorded];
  const unique = [...new Map(all.map((bytes) => [key(bytes), bytes])).values()];
  const [requests, responses]: [Uint8Array[], Uint8Array[]] = [[], []];
  for (const bytes of unique)
    if (bytes.length >= 4) (isRequest(bytes[1]!) ? requests : responses).push(bytes);
  const byVersion = new Map(
    VERSIONS.map((version) => [version, requests.filter(([byte]) => byte === version)]),
  );
  return { requests, byVersion, responses, recorded: recorded.length };
}
