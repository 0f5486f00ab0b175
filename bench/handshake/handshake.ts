/**
 * SPDM sessions and attestations a second, requester and responder in one process: by each crypto
 * provider, against the cryptography they need and nothing else.
 */

import { randomBytes } from 'node:crypto';
import { nobleProvider } from '../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import type { Benchmark, Case, CaseChoice } from '../frame/benchmark.ts';
import { type Operation, recording } from './bare.ts';
import { Room } from './room.ts';
import { type HandshakeSuite, handshakeSuites, provision } from './suites.ts';

/** After so many multiplications the node provider has its tables of the generators. */
const NODE_WARM_UP_RUNS = 150;

const exchanges = {
  session: (room: Room) => room.session(),
  attestation: (room: Room) => room.attestation(),
} as const;
type ExchangeKind = keyof typeof exchanges;

function prepare(name: string, suite: HandshakeSuite, kind: ExchangeKind): Case {
  const provisioned = provision(suite, nodeProvider, (size) => new Uint8Array(randomBytes(size)));
  const go = exchanges[kind];
  const operations: Operation[] = [];
  const recorded = new Room(recording(nodeProvider, operations), suite, provisioned);
  operations.length = 0;
  go(recorded);
  const [node, noble] = [nodeProvider, nobleProvider].map(
    (provider) => new Room(provider, suite, provisioned),
  ) as [Room, Room];
  const cryptographyAlone = 'cryptography alone';
  return {
    name,
    contenders: [
      { name: 'node provider', run: () => go(node), warmUpRuns: NODE_WARM_UP_RUNS },
      { name: 'noble provider', run: () => go(noble), warmUpRuns: 3 },
      {
        name: cryptographyAlone,
        run: () => {
          for (const operation of operations) operation();
        },
        warmUpRuns: 20,
      },
    ],
    peers: [cryptographyAlone],
  };
}

const kinds = Object.keys(exchanges) as ExchangeKind[];

export const handshake: Benchmark = {
  name: 'handshake',
  summary: 'SPDM sessions and attestations a second, both ends in one process',
  unit: 'sessions',
  cases: handshakeSuites.flatMap((suite) =>
    kinds.map((kind): CaseChoice => {
      const name = `${suite.name} ${kind}`;
      return { name, extra: suite.extra === true, prepare: () => prepare(name, suite, kind) };
    }),
  ),
};
