/**
 * A requester and a responder in one process, with nothing between them but a function call: what is
 * timed is the engines and their cryptography, not a link.
 */

import { randomBytes } from 'node:crypto';
import { isPeerFault, type PeerFault, peerFault } from '../../protocols/codec/refusal.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import { capabilityFlags } from '../../protocols/spdm/codes.ts';
import { fixedIdentity } from '../../protocols/spdm/identity.ts';
import { keyOf } from '../../protocols/spdm/leaf-key.ts';
import type { Measured } from '../../protocols/spdm/measurements.ts';
import type { TrustChain } from '../../protocols/spdm/party.ts';
import { challenge, getMeasurements } from '../../protocols/spdm/requester/auth.ts';
import {
  getCertificate,
  getDigests,
  trustChain,
} from '../../protocols/spdm/requester/certificates.ts';
import { openSession } from '../../protocols/spdm/requester/session.ts';
import { endSession } from '../../protocols/spdm/requester/session-life.ts';
import { type Exchange, RequesterState } from '../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../protocols/spdm/requester/vca.ts';
import { SpdmResponder } from '../../protocols/spdm/responder/responder.ts';
import { doeBinding } from '../../protocols/spdm/secured-message.ts';
import { verifyCertChain } from '../../protocols/x509/spdm-chain.ts';
import type { HandshakeSuite, Provisioned } from './suites.ts';

const DATA_TRANSFER_SIZE = 0x4000;
const MESSAGE_SIZE = 0x10000;
const CERTIFICATE_PORTION = 0x3000;
const ALL_MEASUREMENTS = 0xff;
/** 2026-01-01, when the certificates are valid. */
const AT_SECONDS = 1767225600;

const measured: readonly Measured[] = [1, 2, 3, 4].map((index) => ({
  index,
  type: 1,
  raw: false,
  content: new Uint8Array(64).fill(index),
  tcb: true,
}));

const requesterFlags = { ENCRYPT_CAP: 1, MAC_CAP: 1, KEY_EX_CAP: 1, CHUNK_CAP: 1 } as const;
const responderFlags = {
  ...requesterFlags,
  CERT_CAP: 1,
  CHAL_CAP: 1,
  MEAS_CAP: 2,
  MEAS_FRESH_CAP: 1,
} as const;

const random = (size: number) => new Uint8Array(randomBytes(size));

export class Room {
  private readonly responder: SpdmResponder;
  private readonly freshRequester: () => RequesterState;
  private requester: RequesterState;

  constructor(crypto: CryptoProvider, suite: HandshakeSuite, { slot, root }: Provisioned) {
    const { algorithms, hash, signature, version } = suite;
    const common = {
      crypto,
      binding: doeBinding,
      random,
      versions: [version],
      ctExponent: 20,
      dataTransferSize: DATA_TRANSFER_SIZE,
      maxSpdmMsgSize: MESSAGE_SIZE,
      algorithms,
    };
    const trust: TrustChain = (chain) => {
      const leaf = { requireEku: true, requireHardwareIdentity: true, signature } as const;
      const policy = { anchors: [{ der: root }], at: AT_SECONDS, leaf };
      const verdict = verifyCertChain(crypto, chain, hash, version, policy);
      if (!verdict.ok) return peerFault(`CHAIN_${verdict.code}`, verdict.detail);
      return keyOf(verdict.leaf, signature) ?? peerFault('CHAIN_LEAF_KEY', 'of another algorithm');
    };
    this.freshRequester = () =>
      new RequesterState({
        ...common,
        flags: capabilityFlags(requesterFlags),
        certificatePortion: CERTIFICATE_PORTION,
        trust,
      });
    this.responder = new SpdmResponder({
      ...common,
      flags: capabilityFlags(responderFlags),
      identity: fixedIdentity(new Map([[0, slot]])),
      measure: () => measured,
      heartbeatPeriod: 0,
      sessionsMax: 1,
      vendor: [],
    });
    this.requester = this.connected();
  }

  /** KEY_EXCHANGE, FINISH and END_SESSION on the connection there is. */
  session(): void {
    const asked = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
    const session = this.run(openSession(this.requester, asked));
    this.run(endSession(this.requester, session));
    this.requester.work = [];
  }

  /** A relying party that knows the root only: VCA, DIGESTS, chain, CHALLENGE, signed MEASUREMENTS. */
  attestation(): void {
    this.requester = this.connected();
    this.run(challenge(this.requester, 0, 0));
    const operation = ALL_MEASUREMENTS;
    const { blocks } = this.run(
      getMeasurements(this.requester, undefined, { slot: 0, operation, signed: true }),
    );
    if (blocks.length !== measured.length) throw new Error(`${blocks.length} measurement blocks`);
  }

  private connected(): RequesterState {
    const state = this.freshRequester();
    this.run(negotiate(state));
    const digest = this.run(getDigests(state)).get(0);
    if (digest === undefined) throw new Error('slot 0 has no digest');
    this.run(getCertificate(state, 0, digest));
    good(trustChain(state, 0));
    return state;
  }

  private run<T>(exchange: Exchange<T>): T {
    let step = exchange.next();
    while (!step.done) {
      const { secured, bytes } = step.value;
      const { reply } = this.responder.receive({ secured, bytes });
      if (reply === undefined) throw new Error('the responder is silent');
      step = exchange.next(reply);
    }
    return good(step.value);
  }
}

function good<T>(result: T | PeerFault): T {
  if (isPeerFault(result)) throw new Error(`${result.code}: ${result.detail}`);
  return result;
}
