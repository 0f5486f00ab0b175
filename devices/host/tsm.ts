/**
 * The host's TEE Security Manager, link side: it drives SPDM through the DOE driver, owns the session,
 * keys both ends of the stream and commands the TDI. What it trusts is decided by `trust.ts` and the
 * guest.
 */

import {
  isPeerFault,
  LocalError,
  type PeerFault,
  peerFault,
} from '../../protocols/codec/refusal.ts';
import type { VendorExchange } from '../../protocols/engine.ts';
import type { PortKeys, SetTarget } from '../../protocols/ide/index.ts';
import { goStream, keyStream, partnerKeys, query, stopStream } from '../../protocols/ide/index.ts';
import { versionText } from '../../protocols/spdm/codes.ts';
import type { MeasurementBlockValue } from '../../protocols/spdm/measurements.ts';
import { challenge, getMeasurements, summaryFits } from '../../protocols/spdm/requester/auth.ts';
import {
  getCertificate,
  getDigests,
  trustChain,
} from '../../protocols/spdm/requester/certificates.ts';
import { openSession } from '../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../protocols/spdm/requester/session-life.ts';
import {
  type Exchange,
  type RequesterConfig,
  type RequesterSession,
  RequesterState,
} from '../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../protocols/spdm/requester/vca.ts';
import { vendor } from '../../protocols/spdm/requester/vendor.ts';
import { delay, Resource, type Task, type TraceBus, US, use } from '../../sim/kernel/index.ts';
import { type CostTable, costOf } from '../dsm.ts';
import type { SimRecords } from '../records.ts';
import type { RootComplex } from '../root-complex.ts';
import type { DoeDriver } from './doe.ts';
import {
  clearEnd,
  enableEnd,
  findEnd,
  type IdeEnd,
  isSecure,
  programEnd,
  type StreamPlan,
} from './ide-setup.ts';
import type { Enumeration } from './pci.ts';

export interface TsmOptions {
  readonly bus: TraceBus<SimRecords>;
  readonly complex: RootComplex;
  readonly doe: DoeDriver;
  readonly spdm: RequesterConfig;
  readonly costs: CostTable;
}

const SUMMARY_ALL = 0xff;
const MEASUREMENTS_ALL = 0xff;
const IDE_KM = 0;
const TDISP = 1;
const KEY_BYTES = 32;
const PORT_INDEX = 0;

export interface LinkStream {
  readonly streamId: number;
  readonly rootPort: { end: IdeEnd; plan: StreamPlan };
  readonly endpoint: { end: IdeEnd; plan: StreamPlan };
  readonly keySet: 0 | 1;
}

export class Tsm {
  readonly spdm: RequesterState;
  session: RequesterSession | undefined;
  stream: LinkStream | undefined;
  /** what the device reported when it was authenticated */
  private measured: readonly MeasurementBlockValue[] | undefined;
  private readonly options: TsmOptions;
  /** one outstanding command per DSM */
  private readonly channel = new Resource(1);

  constructor(options: TsmOptions) {
    this.options = options;
    this.spdm = new RequesterState(options.spdm);
  }

  /** Runs an SPDM exchange over DOE; its work takes the TSM's time. */
  *drive<T>(exchange: Exchange<T>): Task<T | PeerFault> {
    return yield* use(this.channel, () => this.exchange(exchange));
  }

  private *exchange<T>(exchange: Exchange<T>): Task<T | PeerFault> {
    let step = exchange.next();
    while (!step.done) {
      const { work, seal, sessionId, waitUs = 0 } = step.value;
      yield* delay(costOf(this.options.costs, work) + waitUs * US);
      if (seal !== undefined && sessionId !== undefined)
        this.options.bus.emit('record-seal', 'tsm', { sessionId, ...seal });
      const answer = yield* this.options.doe.exchange(step.value);
      if (isPeerFault(answer)) return answer;
      step = exchange.next(answer);
    }
    yield* delay(costOf(this.options.costs, this.spdm.work));
    this.spdm.work = [];
    return step.value;
  }

  get liveSession(): RequesterSession {
    if (this.session === undefined) throw new LocalError('session: open one first');
    return this.session;
  }

  /**
   * VCA, digests, certificate chain, its judgement, CHALLENGE, and signed measurements; `note` hears
   * how far it has come.
   */
  *authenticate(
    slot: number,
    note: (text: string) => void = () => {},
  ): Task<readonly MeasurementBlockValue[] | PeerFault> {
    const negotiated = yield* this.drive(negotiate(this.spdm));
    if (isPeerFault(negotiated)) return negotiated;
    const { asym, baseHash, exchange, aead } = negotiated;
    note(`SPDM ${versionText(negotiated.version)}: ${asym}, ${baseHash}, ${exchange}, ${aead}`);
    const digests = yield* this.drive(getDigests(this.spdm));
    if (isPeerFault(digests)) return digests;
    const digest = digests.get(slot);
    if (digest === undefined) return peerFault('SLOT_EMPTY', `slot ${slot} has no certificates`);
    const chain = yield* this.drive(getCertificate(this.spdm, slot, digest));
    if (isPeerFault(chain)) return chain;
    const leaf = trustChain(this.spdm, slot);
    if (isPeerFault(leaf)) return leaf;
    note(`certificate chain of slot ${slot}: ${chain.length} bytes, up to the trusted root`);
    const challenged = yield* this.drive(challenge(this.spdm, slot, SUMMARY_ALL));
    if (isPeerFault(challenged)) return challenged;
    note('CHALLENGE_AUTH: its signature covers the whole conversation so far');
    const blocks = yield* this.measure(slot, undefined);
    if (isPeerFault(blocks)) return blocks;
    const { summary } = challenged;
    if (summary === undefined || !summaryFits(this.spdm, summary, blocks))
      return peerFault(
        'SUMMARY',
        'CHALLENGE_AUTH summarises other measurements than were reported',
      );
    this.measured = blocks;
    return blocks;
  }

  /** All measurements, signed; inside the session if there is one. */
  *measure(
    slot: number,
    session = this.session,
  ): Task<readonly MeasurementBlockValue[] | PeerFault> {
    const asked = { slot, operation: MEASUREMENTS_ALL, signed: true };
    const measured = yield* this.drive(getMeasurements(this.spdm, session, asked));
    return isPeerFault(measured) ? measured : measured.blocks;
  }

  /**
   * KEY_EXCHANGE and FINISH, with the device that was measured; the session is then this TSM's only one.
   */
  *connect(slot: number): Task<RequesterSession | PeerFault> {
    const asked = { slot, summaryType: SUMMARY_ALL, terminationPolicy: 0 } as const;
    const session = yield* this.drive(openSession(this.spdm, asked));
    if (isPeerFault(session)) return session;
    const { summary } = session;
    const fits = summary !== undefined && summaryFits(this.spdm, summary, this.measured ?? []);
    if (this.measured !== undefined && !fits) {
      yield* this.drive(endSession(this.spdm, session));
      return peerFault(
        'SUMMARY',
        'KEY_EXCHANGE_RSP summarises other measurements than were reported',
      );
    }
    this.session = session;
    return session;
  }

  *heartbeat(): Task<true | PeerFault> {
    return yield* this.drive(heartbeat(this.spdm, this.liveSession));
  }

  /** END_SESSION; both ends of the stream forget what was keyed over it. */
  *disconnect(): Task<true | PeerFault> {
    const session = this.liveSession;
    const ended = yield* this.drive(endSession(this.spdm, session));
    this.session = undefined;
    this.options.complex.rootPort.sessionEnded(session.id);
    return ended;
  }

  /** A vendor protocol's exchange through the session. */
  *viaSession<T>(protocolId: number, exchange: VendorExchange<T>): Task<T | PeerFault> {
    return yield* this.drive(vendor(this.spdm, this.liveSession, protocolId, exchange));
  }
  *tdisp<T>(exchange: VendorExchange<T>): Task<T | PeerFault> {
    return yield* this.viaSession(TDISP, exchange);
  }

  /** IDE_KM to the root port's own key unit. */
  private *viaKeyUnit<T>(exchange: VendorExchange<T>): Task<T | PeerFault> {
    const { rootPort } = this.options.complex;
    let step = exchange.next();
    while (!step.done) {
      const answer = yield* rootPort.keyUnit(step.value, this.liveSession.id);
      if (answer === undefined) return peerFault('KEY_UNIT', 'the key unit refused the object');
      step = exchange.next(answer);
    }
    return step.value;
  }

  /** Finds both ends of the stream and programs their registers, Enable clear. */
  *prepareStream(found: Enumeration, streamId: number, ends: { port: number; endpoint: number }) {
    const { complex } = this.options;
    const first = found.functions[0]!.rid;
    const last = found.functions.at(-1)!.rid;
    const rootEnd = yield* findEnd(complex, found.rootPort.rid, ends.port);
    if (isPeerFault(rootEnd)) return rootEnd;
    const deviceEnd = yield* findEnd(complex, first, ends.endpoint);
    if (isPeerFault(deviceEnd)) return deviceEnd;
    const rootPlan: StreamPlan = {
      streamId,
      partner: { base: first, limit: last },
      windows: [found.memoryWindow, found.prefetchableWindow],
      defaultStream: false,
    };
    const devicePlan: StreamPlan = {
      streamId,
      partner: { base: found.rootPort.rid, limit: found.rootPort.rid },
      windows: [],
      defaultStream: true,
    };
    yield* programEnd(complex, rootEnd, rootPlan);
    yield* programEnd(complex, deviceEnd, devicePlan);
    const stream: LinkStream = {
      streamId,
      rootPort: { end: rootEnd, plan: rootPlan },
      endpoint: { end: deviceEnd, plan: devicePlan },
      keySet: 0,
    };
    this.stream = stream;
    return stream;
  }

  /** QUERY, six KEY_PROG to each port, K_SET_GO Rx at both, then Tx at both. */
  *keyStream(): Task<true | PeerFault> {
    const { streamId, keySet } = this.liveStream;
    const asked = yield* this.viaSession(IDE_KM, query(PORT_INDEX));
    if (isPeerFault(asked)) return asked;
    const target: SetTarget = { portIndex: PORT_INDEX, streamId, keySet };
    const rootKeys: PortKeys = { RX: this.drawKeys(), TX: this.drawKeys() };
    const deviceKeys = partnerKeys(rootKeys);
    const steps = [
      () => this.viaSession(IDE_KM, keyStream(target, deviceKeys)),
      () => this.viaKeyUnit(keyStream(target, rootKeys)),
      () => this.viaSession(IDE_KM, goStream(target, 'RX')),
      () => this.viaKeyUnit(goStream(target, 'RX')),
      () => this.viaSession(IDE_KM, goStream(target, 'TX')),
      () => this.viaKeyUnit(goStream(target, 'TX')),
    ];
    for (const step of steps) {
      const result = yield* step();
      if (isPeerFault(result)) return result;
    }
    return true;
  }

  private drawKeys(): Uint8Array[] {
    return [0, 1, 2].map(() => this.options.spdm.random(KEY_BYTES));
  }

  get liveStream(): LinkStream {
    if (this.stream === undefined) throw new LocalError('stream: prepare one first');
    return this.stream;
  }

  /** Enable at the device first, then at the host; true if both read Secure. */
  *enableStream(): Task<boolean> {
    const { complex } = this.options;
    const { rootPort, endpoint } = this.liveStream;
    yield* enableEnd(complex, endpoint.end, endpoint.plan, true);
    yield* enableEnd(complex, rootPort.end, rootPort.plan, true);
    return yield* this.streamSecure();
  }

  *streamSecure(): Task<boolean> {
    const { complex } = this.options;
    if (this.stream === undefined) return false;
    const device = yield* isSecure(complex, this.stream.endpoint.end);
    const root = yield* isSecure(complex, this.stream.rootPort.end);
    return device && root;
  }

  /** Enable clear at device and host, keys stopped at both, registers cleared. */
  *tearDownStream(): Task<true | PeerFault> {
    const { complex } = this.options;
    const { rootPort, endpoint, streamId, keySet } = this.liveStream;
    yield* enableEnd(complex, endpoint.end, endpoint.plan, false);
    yield* enableEnd(complex, rootPort.end, rootPort.plan, false);
    const target: SetTarget = { portIndex: PORT_INDEX, streamId, keySet };
    const device = yield* this.viaSession(IDE_KM, stopStream(target));
    const root = yield* this.viaKeyUnit(stopStream(target));
    yield* clearEnd(complex, endpoint.end);
    yield* clearEnd(complex, rootPort.end);
    this.stream = undefined;
    return isPeerFault(device) ? device : root;
  }
}
