/**
 * The Device Security Manager: SPDM, IDE_KM and TDISP responders behind one DOE mailbox. It turns the
 * engines' work into time by the cost table, and their effects into what the device does.
 */

import type { CryptoProvider } from '../protocols/crypto/provider.ts';
import { DoeMailbox, type MailboxOutcome } from '../protocols/doe/mailbox.ts';
import { DoeTypes, encodeObject, VENDOR_PCI_SIG } from '../protocols/doe/object.ts';
import type { Effect, Work, WorkOp } from '../protocols/engine.ts';
import { IdekmResponder } from '../protocols/ide/idekm-responder.ts';
import type { IdePort } from '../protocols/ide/port.ts';
import { capabilityFlags } from '../protocols/spdm/codes.ts';
import type { IdentitySlot } from '../protocols/spdm/identity.ts';
import { fixedIdentity } from '../protocols/spdm/identity.ts';
import type { Measured } from '../protocols/spdm/measurements.ts';
import type { SupportedAlgorithms } from '../protocols/spdm/party.ts';
import type { Deferral } from '../protocols/spdm/responder/deferred.ts';
import { SpdmResponder } from '../protocols/spdm/responder/responder.ts';
import type {
  SessionEnded,
  SessionEstablished,
  SessionHeartbeat,
} from '../protocols/spdm/responder/state.ts';
import { doeBinding } from '../protocols/spdm/secured-message.ts';
import { type TdispDevice, TdispResponder } from '../protocols/tdisp/index.ts';
import { type EventHandle, type Kernel, S, US } from '../sim/kernel/index.ts';
import type { SimRecords } from './records.ts';

/** Time of one operation: fixed, and per byte where size counts; in ps. */
export type CostTable = Readonly<Record<WorkOp, { fixed: number; perByte: number }>>;

export function costOf(table: CostTable, work: readonly Work[]): number {
  let total = 0;
  for (const { op, bytes = 0 } of work) total += table[op].fixed + table[op].perByte * bytes;
  return total;
}

export interface DsmOptions {
  readonly name: string;
  readonly crypto: CryptoProvider;
  readonly random: (size: number) => Uint8Array;
  readonly costs: CostTable;
  /** from Go to the DSM looking at the object */
  readonly doeProcessingPs: number;
  readonly slots: ReadonlyMap<number, IdentitySlot>;
  readonly measure: () => readonly Measured[];
  /** SPDMVersion bytes, ascending */
  readonly versions: readonly number[];
  readonly ctExponent: number;
  readonly dataTransferSize: number;
  /** more than `dataTransferSize`: large messages go in chunks */
  readonly maxSpdmMsgSize: number;
  /** an answer that takes longer is announced by ERROR(ResponseNotReady); a DOE object is due in 1 s */
  readonly notReadyAbovePs: number;
  readonly handshakeInTheClear: boolean;
  /** seconds; 0: no heartbeat */
  readonly heartbeatPeriod: number;
  readonly ide: IdePort;
  readonly tdisp: TdispDevice;
  readonly algorithms: SupportedAlgorithms;
  /** what the rest of the device must do about an effect */
  readonly onEffect: (effect: Effect) => void;
}

const SESSIONS_MAX = 1;
/** How often RDT a requester may take before a held answer is given up. */
const RDTM = 4;

export class Dsm {
  readonly options: DsmOptions;
  readonly mailbox: DoeMailbox;
  readonly spdm: SpdmResponder;
  readonly tdisp: TdispResponder;
  readonly ideKm: IdekmResponder;
  private readonly kernel: Kernel<SimRecords>;
  /** the DSM's first look at the object at hand */
  private looking: EventHandle | undefined;
  private readonly watchdogs = new Map<number, EventHandle>();

  constructor(kernel: Kernel<SimRecords>, options: DsmOptions) {
    this.kernel = kernel;
    this.options = options;
    const secured = { VendorID: VENDOR_PCI_SIG, DataObjectType: DoeTypes.SECURED_CMA_SPDM };
    const plain = { VendorID: VENDOR_PCI_SIG, DataObjectType: DoeTypes.CMA_SPDM };
    this.mailbox = new DoeMailbox({ types: [plain, secured] });
    this.ideKm = new IdekmResponder({ ports: [options.ide] });
    this.tdisp = new TdispResponder(options.tdisp);
    this.spdm = new SpdmResponder({
      crypto: options.crypto,
      binding: doeBinding,
      random: options.random,
      versions: options.versions,
      flags: capabilityFlags({
        CERT_CAP: 1,
        CHAL_CAP: 1,
        MEAS_CAP: 2,
        MEAS_FRESH_CAP: 1,
        ENCRYPT_CAP: 1,
        MAC_CAP: 1,
        KEY_EX_CAP: 1,
        HBEAT_CAP: options.heartbeatPeriod > 0 ? 1 : 0,
        CHUNK_CAP: options.maxSpdmMsgSize > options.dataTransferSize ? 1 : 0,
        HANDSHAKE_IN_THE_CLEAR_CAP: options.handshakeInTheClear ? 1 : 0,
      }),
      ctExponent: options.ctExponent,
      dataTransferSize: options.dataTransferSize,
      maxSpdmMsgSize: options.maxSpdmMsgSize,
      algorithms: options.algorithms,
      identity: fixedIdentity(options.slots),
      measure: options.measure,
      heartbeatPeriod: options.heartbeatPeriod,
      sessionsMax: SESSIONS_MAX,
      vendor: [this.ideKm, this.tdisp],
      readiness: (_code, work) => this.deferral(costOf(options.costs, work)),
    });
  }

  /** How long the requester is told to wait for an answer that takes `ps`; undefined: none too long. */
  private deferral(ps: number): Deferral | undefined {
    if (ps <= this.options.notReadyAbovePs) return undefined;
    return { rdtExponent: Math.ceil(Math.log2(Math.max(1, ps / US))), rdtm: RDTM };
  }

  /** The silicon computes a held answer, and keeps it for as long as the requester was told. */
  private hold(token: number, takes: number): void {
    const { rdtExponent = 0, rdtm = 0 } = this.deferral(takes) ?? {};
    this.kernel.schedule(takes, () => this.spdm.ready(token));
    this.kernel.schedule(2 ** rdtExponent * rdtm * US, () => this.spdm.expire(token));
  }

  /**
   * What an access to the mailbox did: an object to answer is answered after its processing time. One
   * that an Abort or a reset takes back before the DSM has looked at it was never there.
   */
  onMailbox(outcome: MailboxOutcome): void {
    if (outcome.cancelled !== undefined) this.looking?.cancel();
    if (outcome.type !== 'object') return;
    const { object, ticket } = outcome;
    const { doeProcessingPs } = this.options;
    const secured = object.DataObjectType === DoeTypes.SECURED_CMA_SPDM;
    this.looking = this.kernel.schedule(doeProcessingPs, () =>
      this.process(object.payload, secured, ticket),
    );
  }

  private process(bytes: Uint8Array, secured: boolean, ticket: number): void {
    const { name, costs } = this.options;
    const outcome = this.spdm.receive({ secured, bytes });
    const { sessionId, request, answer, reply } = outcome;
    const inside = sessionId === undefined ? { secured } : { secured, sessionId };
    this.kernel.bus.emit('spdm', name, { direction: 'request', ...inside, bytes: request });
    this.apply(outcome.effects);
    if (outcome.held !== undefined) this.hold(outcome.held.token, costOf(costs, outcome.held.work));
    const takes = costOf(costs, outcome.work);
    this.kernel.schedule(takes, () => {
      if (answer !== undefined) {
        const replied = { ...inside, secured: reply?.secured ?? secured };
        this.kernel.bus.emit('spdm', name, { direction: 'response', ...replied, bytes: answer });
      }
      if (reply === undefined) {
        this.mailbox.drop(ticket);
        return;
      }
      const DataObjectType = reply.secured ? DoeTypes.SECURED_CMA_SPDM : DoeTypes.CMA_SPDM;
      const object = encodeObject({
        VendorID: VENDOR_PCI_SIG,
        DataObjectType,
        payload: reply.bytes,
      });
      if (reply.seal !== undefined && sessionId !== undefined)
        this.kernel.bus.emit('record-seal', name, { sessionId, ...reply.seal });
      this.mailbox.respond(ticket, object);
    });
  }

  /** Acts on effects: sessions take their streams and TDIs with them. */
  apply(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'session-established') this.established(effect as SessionEstablished);
      if (effect.type === 'session-ended') this.ended(effect as SessionEnded);
      if (effect.type === 'session-heartbeat')
        this.arm((effect as SessionHeartbeat).sessionId, this.options.heartbeatPeriod);
      this.options.onEffect(effect);
    }
  }

  private established(effect: SessionEstablished): void {
    const { sessionId } = effect;
    const state = 'established' as const;
    this.kernel.bus.emit('session', this.options.name, { sessionId, state, reason: 'FINISH' });
    this.arm(sessionId, effect.heartbeatPeriod);
  }

  private ended(effect: SessionEnded): void {
    const { sessionId, reason } = effect;
    this.watchdogs.get(sessionId)?.cancel();
    this.watchdogs.delete(sessionId);
    this.kernel.bus.emit('session', this.options.name, { sessionId, state: 'ended', reason });
    // PCIe Base 6.x 11.4.5: streams keyed over the session become Insecure, TDIs locked over it ERROR.
    this.apply(this.options.ide.sessionEnded(sessionId));
    this.apply(this.tdisp.event({ sessionId }, 'session-ended'));
  }

  /** Two periods without a HEARTBEAT end the session (DSP0274 10.16). */
  private arm(sessionId: number, period: number): void {
    this.watchdogs.get(sessionId)?.cancel();
    if (period === 0) return;
    const expired = () => this.apply(this.spdm.heartbeatExpired(sessionId));
    this.watchdogs.set(sessionId, this.kernel.schedule(2 * period * S, expired));
  }
}
