/**
 * A requester and a responder in one room: real keys and certificates, a replayable random stream, and a
 * wire on which a test may read, change or replace what travels.
 */

import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault, type PeerFault, peerFault } from '../../../protocols/codec/refusal.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import type { CryptoProvider } from '../../../protocols/crypto/provider.ts';
import type { VendorResponder } from '../../../protocols/engine.ts';
import { type CapabilityName, capabilityFlags } from '../../../protocols/spdm/codes.ts';
import { fixedIdentity, type IdentitySlot } from '../../../protocols/spdm/identity.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import type { Measured } from '../../../protocols/spdm/measurements.ts';
import {
  getCertificate,
  getDigests,
  trustChain,
} from '../../../protocols/spdm/requester/certificates.ts';
import { openSession } from '../../../protocols/spdm/requester/session.ts';
import {
  type Exchange,
  type Outgoing,
  type RequesterConfig,
  type RequesterSession,
  RequesterState,
} from '../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../protocols/spdm/requester/vca.ts';
import { type Packet, SpdmResponder } from '../../../protocols/spdm/responder/responder.ts';
import type { ResponderConfig } from '../../../protocols/spdm/responder/state.ts';
import { doeBinding } from '../../../protocols/spdm/secured-message.ts';
import { buildDeviceChain } from '../../../protocols/x509/device-chain.ts';
import { encodeCertChain } from '../../../protocols/x509/spdm-chain.ts';

export const crypto = nodeProvider;

/** Bytes that look random and come again with the same seed. */
export function stream(seed: number): (size: number) => Uint8Array {
  let state = (seed * 0x9e3779b1 + 1) >>> 0;
  return (size) => {
    const out = new Uint8Array(size);
    for (let i = 0; i < size; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state = (state ^ (state << 5)) >>> 0;
      out[i] = state >>> 11;
    }
    return out;
  };
}

interface SuiteFacts {
  readonly signature: 'ECDSA_P256' | 'ECDSA_P384';
  readonly hash: 'SHA_256' | 'SHA_384';
  readonly keySize: number;
  readonly algorithms: ResponderConfig['algorithms'];
}
export const suites = {
  P256: {
    signature: 'ECDSA_P256',
    hash: 'SHA_256',
    keySize: 32,
    algorithms: { measurementHash: 2, baseAsym: 0x10, baseHash: 1, dhe: 8, aead: 2 },
  },
  P384: {
    signature: 'ECDSA_P384',
    hash: 'SHA_384',
    keySize: 48,
    algorithms: { measurementHash: 4, baseAsym: 0x80, baseHash: 2, dhe: 16, aead: 2 },
  },
} as const satisfies Record<string, SuiteFacts>;
export type SuiteName = keyof typeof suites;

const slots = new Map<string, IdentitySlot>();
/** A provisioned slot; `device` tells two devices of one vendor apart. Built once. */
export function slotOf(name: SuiteName, device = 0x33): IdentitySlot {
  const known = slots.get(`${name} ${device}`);
  if (known !== undefined) return known;
  const { signature, hash, keySize } = suites[name];
  const entity = (text: string, fill: number) => ({
    name: [['CN', text]] as const,
    privateKey: new Uint8Array(keySize).fill(fill),
    serialNumber: Uint8Array.of(fill),
  });
  const chain = buildDeviceChain(crypto, {
    signature,
    root: entity('Root', 0x11),
    intermediate: entity('Intermediate', 0x22),
    leaf: entity('Leaf', device),
    notBefore: '20240101000000Z',
    notAfter: '99991231235959Z',
    deviceInfo: `Example:Device:${device}`,
  });
  const privateKey = new Uint8Array(keySize).fill(device);
  const slot = {
    chain: encodeCertChain(crypto, hash, 0x12, chain.certificates),
    signer: { algorithm: signature, privateKey },
  };
  slots.set(`${name} ${device}`, slot);
  return slot;
}

export const measured: readonly Measured[] = [
  { index: 1, type: 0, raw: false, content: fromHex('00010203'), tcb: true },
  { index: 2, type: 1, raw: false, content: fromHex('aabbcc'), tcb: true },
  { index: 3, type: 7, raw: true, content: fromHex('0500000000000000'), tcb: false },
  { index: 0xfd, type: 4, raw: false, content: fromHex('0a'), tcb: false },
];

/** A vendor protocol that says its payload backwards, and refuses what starts with 0xEE. */
export const echo: VendorResponder = {
  protocolId: 1,
  name: 'echo',
  handle(payload, sessionId) {
    const work = [{ op: 'hash', bytes: payload.length }] as const;
    const effects = [{ type: 'echoed', sessionId }];
    if (payload[0] === 0xee) return { reply: undefined, work, effects: [] };
    if (payload[0] === 0xdd) return { reply: { spdmError: 3, data: 9 }, work, effects: [] };
    if (payload[0] === 0xcc) return { reply: { spdmError: 3 }, work, effects: [] };
    return { reply: payload.slice().reverse(), work, effects };
  },
};

const requesterFlags = {
  CERT_CAP: 1,
  CHAL_CAP: 1,
  ENCRYPT_CAP: 1,
  MAC_CAP: 1,
  KEY_EX_CAP: 1,
  HBEAT_CAP: 1,
} as const;
const responderFlags = { ...requesterFlags, MEAS_CAP: 2, MEAS_FRESH_CAP: 1 } as const;
type Flags = Partial<Record<CapabilityName, number>>;

export interface PairOptions {
  readonly suite?: SuiteName;
  readonly version?: number;
  readonly seed?: number;
  readonly crypto?: CryptoProvider;
  /** set on both sides, over the usual ones */
  readonly flags?: Flags;
  /** of one side alone, over those */
  readonly requesterFlags?: Flags;
  readonly responderFlags?: Flags;
  readonly requester?: Partial<RequesterConfig>;
  readonly responder?: Partial<ResponderConfig>;
}

/** Changes a message on its way; undefined: it is lost. */
export type Tap = (packet: Packet, direction: 'request' | 'response', index: number) => Packet;

export interface Travelled {
  readonly request: Packet;
  readonly response: Packet | undefined;
}

export class Pair {
  readonly requester: RequesterState;
  readonly responder: SpdmResponder;
  readonly options: PairOptions;
  readonly slot: IdentitySlot;
  /** everything that went over the wire, as it was sent */
  readonly wire: Travelled[] = [];
  readonly effects: { type: string; sessionId?: number; reason?: string }[] = [];
  tap: Tap = (packet) => packet;
  /** the requester waits so long before it sends, in us */
  onWait: (us: number) => void = () => {};

  constructor(options: PairOptions = {}) {
    this.options = options;
    const { suite = 'P256', version = 0x12, seed = 1, crypto: provider = crypto } = options;
    this.slot = slotOf(suite);
    const common = {
      crypto: provider,
      binding: doeBinding,
      versions: [version],
      ctExponent: 10,
      dataTransferSize: 4096,
      maxSpdmMsgSize: 4096,
      algorithms: suites[suite].algorithms,
    };
    this.requester = new RequesterState({
      ...common,
      random: stream(seed),
      flags: capabilityFlags({ ...requesterFlags, ...options.flags, ...options.requesterFlags }),
      certificatePortion: 1000,
      trust: (chain, size) => leafKeyOfChain(chain, size) ?? peerFault('CHAIN', 'no chain'),
      ...options.requester,
    });
    this.responder = new SpdmResponder({
      ...common,
      random: stream(seed + 1000),
      flags: capabilityFlags({ ...responderFlags, ...options.flags, ...options.responderFlags }),
      identity: fixedIdentity(new Map([[0, this.slot]])),
      measure: () => measured,
      heartbeatPeriod: 5,
      sessionsMax: 1,
      vendor: [echo],
      ...options.responder,
    });
  }

  /** One packet to the responder, past the tap. */
  send(packet: Packet): Packet | undefined {
    const outcome = this.responder.receive(packet);
    this.effects.push(...outcome.effects);
    return outcome.reply;
  }

  /** A message in the clear to the responder; the answer's bytes. */
  plain(...parts: (Uint8Array | string)[]): Uint8Array | undefined {
    const bytes = fromHex(
      parts.map((part) => (typeof part === 'string' ? part : toHex(part))).join(''),
    );
    return this.send({ secured: false, bytes })?.bytes;
  }

  /** A message through the requester's side of the session's record layer; the opened answer. */
  sealed(session: RequesterSession, message: Uint8Array): Packet | undefined {
    const bytes = session.keys.seal('request', session.id, message);
    const reply = this.send({ secured: true, bytes });
    if (reply === undefined || !reply.secured) return reply;
    const opened = session.keys.open('response', reply.bytes);
    if (!opened.ok) throw new Error(`answer does not open: ${opened.detail}`);
    return { secured: true, bytes: opened.value };
  }

  /** Drives a requester's exchange to its end. Silence ends it as the fault SILENCE. */
  run<T>(exchange: Exchange<T>): T | PeerFault {
    let step: IteratorResult<Outgoing, T | PeerFault> = exchange.next();
    while (!step.done) {
      const index = this.wire.length;
      if (step.value.waitUs !== undefined) this.onWait(step.value.waitUs);
      const request: Packet = { secured: step.value.secured, bytes: step.value.bytes };
      const response = this.send(this.tap(request, 'request', index));
      this.wire.push({ request, response });
      if (response === undefined) return peerFault('SILENCE', 'no answer');
      const { secured, bytes } = this.tap(response, 'response', index);
      step = exchange.next({ secured, bytes: bytes.slice() });
    }
    return step.value;
  }

  /** The same, where a fault fails the test. */
  good<T>(exchange: Exchange<T>): T {
    const result = this.run(exchange);
    if (isPeerFault(result)) throw new Error(`${result.code}: ${result.detail}`);
    return result;
  }

  /** VCA, digests and a trusted chain. */
  authenticate(): this {
    this.good(negotiate(this.requester));
    const digest = this.good(getDigests(this.requester)).get(0);
    this.good(digest === undefined ? missing() : getCertificate(this.requester, 0, digest));
    const leaf = trustChain(this.requester, 0);
    if (isPeerFault(leaf)) throw new Error(leaf.detail);
    return this;
  }

  session(summaryType = 0): RequesterSession {
    return this.good(openSession(this.requester, { slot: 0, summaryType, terminationPolicy: 0 }));
  }

  /** Chain and key known beforehand, so that KEY_EXCHANGE can follow VCA at once. */
  cached(): this {
    const { chain } = this.slot;
    const leaf = leafKeyOfChain(
      chain,
      suites[this.options.suite ?? 'P256'].algorithms.baseHash === 1 ? 32 : 48,
    );
    if (leaf === undefined) throw new Error('slot: no leaf key');
    this.requester.chains.set(0, chain);
    this.requester.leaves.set(0, leaf);
    return this;
  }
}

// biome-ignore lint/correctness/useYield: an exchange that faults at once
function* missing(): Exchange<Uint8Array> {
  return peerFault('SLOT_EMPTY', 'slot 0 has no digest');
}

/** Byte `at` of a copy with `mask` flipped. */
export function flipped(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = copy[at]! ^ mask;
  return copy;
}
