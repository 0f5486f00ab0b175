/**
 * One connection's device: the engines, and on the wall clock the watchdogs of its sessions and the time
 * its signatures take.
 */

import { LocalError, peerFault } from '../../protocols/codec/refusal.ts';
import type { Effect } from '../../protocols/engine.ts';
import { capability, codeNames, errorNames, ResponseCodes } from '../../protocols/spdm/codes.ts';
import {
  askEndpointInfo,
  updateResponseKey,
} from '../../protocols/spdm/responder/encapsulated-requests.ts';
import { type ResponderOutcome, SpdmResponder } from '../../protocols/spdm/responder/responder.ts';
import type {
  SessionEnded,
  SessionEstablished,
  SessionHeartbeat,
} from '../../protocols/spdm/responder/state.ts';
import { recordSessionId } from '../../protocols/spdm/secured-message.ts';
import type { KnownRequester, ResponderOptions } from './engines.ts';
import { answerPldm } from './pldm.ts';
import { RequesterTrust } from './requester-trust.ts';
import type { Built } from './responder-config.ts';
import { ServedDevice } from './served-device.ts';
import { servedMeasurements } from './served-measurements.ts';
import type { Connection, Trigger } from './server.ts';
import type { EnginePacket } from './transport.ts';

const MS_PER_S = 1000;
const US_PER_MS = 1000;
const NOBODY: KnownRequester = { roots: [], chains: [], publicKeys: [] };

/** `GET_VERSION`, or `ERROR(InvalidRequest)`. */
function messageName(message: Uint8Array | undefined): string {
  const [, code, param] = message ?? [];
  if (code === undefined) return 'silence';
  const name = codeNames[code] ?? `code 0x${code.toString(16)}`;
  return code === ResponseCodes.ERROR ? `ERROR(${errorNames[param ?? 0] ?? param})` : name;
}

/** What happened besides, in words; undefined: nothing worth a line. */
function effectText(effect: Effect): string | undefined {
  const { type, ...facts } = effect;
  if (/^session-/.test(type)) return undefined;
  const rest = Object.entries(facts).map(([name, value]) => `${name} ${String(value)}`);
  return [type.replaceAll('-', ' '), ...rest].join(', ');
}

export class DeviceConnection implements Connection {
  readonly #spdm: SpdmResponder;
  readonly #device: ServedDevice;
  readonly #built: Built;
  readonly #ended: () => void;
  readonly #serviceTimeMs: number;
  readonly #note: (event: string, detail: string) => void;
  readonly #watchdogs = new Map<number, { timer: NodeJS.Timeout; period: number }>();
  readonly #service = new Set<NodeJS.Timeout>();
  /** GET_ENDPOINT_INFO is to be asked where the requester next speaks: in a session or outside */
  #endpointInfoDue = false;

  constructor(built: Built, options: ResponderOptions, ended: () => void) {
    const { crypto, random, device, functionId } = options;
    this.#built = built;
    this.#ended = ended;
    this.#serviceTimeMs = options.serviceTimeMs ?? 0;
    this.#note = options.note ?? (() => {});
    this.#device = new ServedDevice(crypto, random, device, functionId);
    this.#spdm = new SpdmResponder(this.#config(options));
  }

  #config(options: ResponderOptions): ConstructorParameters<typeof SpdmResponder>[0] {
    const { config, identity, preferred, provisioning } = this.#built;
    const { crypto, device, now, requester: known = NOBODY } = options;
    const judge = new RequesterTrust({
      crypto,
      known,
      now: now ?? (() => undefined),
      note: this.#note,
    });
    const measured = servedMeasurements(device);
    const state = () => this.#spdm.state;
    const suite = () => this.#spdm?.state.suite();
    return {
      ...config,
      vendor: this.#device.vendor,
      application: (_sessionId, message) => answerPldm(message),
      measure: () => measured(state().version),
      provisioning: {
        ...provisioning,
        // Key pairs and slots are those of the kind of key that was negotiated.
        get store() {
          return identity.storeOf(suite()?.signature ?? preferred);
        },
      },
      trust(chain, _hashSize, wanted) {
        const hash = suite()?.hash;
        if (hash === undefined) return peerFault('CHAIN_HASH', 'no hash was negotiated');
        return judge.judge(chain, hash, state().version, wanted);
      },
      get peerChain() {
        const { requesterSignature: signature, hash } = suite() ?? {};
        if (signature === undefined || hash === undefined) return undefined;
        return judge.chain({ signature, hash });
      },
      get peerPublicKey() {
        const signature = suite()?.requesterSignature;
        return signature === undefined ? undefined : judge.publicKey(signature);
      },
    };
  }

  receive(packet: EnginePacket): EnginePacket | undefined {
    if (this.#endpointInfoDue) this.#askEndpointInfo(packet);
    const outcome = this.#spdm.receive(packet);
    this.#tell(outcome);
    this.#apply(outcome.effects);
    if (outcome.held !== undefined) this.#serve(outcome.held);
    const { reply } = outcome;
    return reply === undefined ? undefined : { secured: reply.secured, bytes: reply.bytes };
  }

  closed(): void {
    this.#apply(this.#spdm.reset('the connection is closed'));
    for (const { timer } of this.#watchdogs.values()) clearTimeout(timer);
    this.#watchdogs.clear();
    for (const timer of this.#service) clearTimeout(timer);
    this.#service.clear();
    this.#ended();
  }

  trigger(what: Trigger, sessionId: number): boolean {
    const { state } = this.#spdm;
    if (what === 'ENDPOINT_INFO') {
      this.#endpointInfoDue = capability(state.requesterFlags, 'EP_INFO_CAP') > 0;
      return this.#endpointInfoDue;
    }
    return this.#attempt(() => updateResponseKey(state, sessionId));
  }

  /** What cannot be asked for in this state is not asked for. */
  #attempt(ask: () => void): boolean {
    try {
      ask();
      return true;
    } catch (error) {
      if (!(error instanceof LocalError)) throw error;
      this.#note('TRIGGER', error.message);
      return false;
    }
  }

  #askEndpointInfo({ secured, bytes }: EnginePacket): void {
    const { state } = this.#spdm;
    this.#endpointInfoDue = false;
    const signs = capability(state.requesterFlags, 'EP_INFO_CAP') === 2;
    this.#attempt(() =>
      askEndpointInfo(state, secured ? recordSessionId(bytes) : undefined, {
        slot: signs ? state.requester?.slot : undefined,
        told: (_turn, classes) =>
          this.#note('REQUESTER', `endpoint info, ${classes.length} device classes`),
        failed: (_turn, { code, detail }) => this.#note('REQUESTER', `${code}: ${detail}`),
      }),
    );
  }

  #tell({ request, answer, sessionId }: ResponderOutcome): void {
    const inside = sessionId === undefined ? '' : ` in session 0x${sessionId.toString(16)}`;
    this.#note('MESSAGE', `${messageName(request)} -> ${messageName(answer)}${inside}`);
  }

  #apply(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'session-established') this.#established(effect as SessionEstablished);
      if (effect.type === 'session-ended') this.#sessionEnded(effect as SessionEnded);
      if (effect.type === 'session-heartbeat') {
        const { sessionId } = effect as SessionHeartbeat;
        this.#arm(sessionId, this.#watchdogs.get(sessionId)?.period ?? 0);
      }
      const text = effectText(effect);
      if (text !== undefined) this.#note('DEVICE', text);
    }
  }

  /** The answer is held back until its signatures are done, and given up when nobody comes for it. */
  #serve({ token, work, rdtExponent, rdtm }: NonNullable<ResponderOutcome['held']>): void {
    const signatures = work.filter(({ op }) => op === 'sign').length;
    this.#after(signatures * this.#serviceTimeMs, () => this.#spdm.ready(token));
    this.#after((rdtm * 2 ** rdtExponent) / US_PER_MS, () => this.#spdm.expire(token));
  }

  #after(milliseconds: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#service.delete(timer);
      act();
    }, milliseconds);
    timer.unref();
    this.#service.add(timer);
  }

  #established({ sessionId, heartbeatPeriod }: SessionEstablished): void {
    this.#note('SESSION', `0x${sessionId.toString(16)} established`);
    this.#arm(sessionId, heartbeatPeriod);
  }

  #sessionEnded({ sessionId, reason }: SessionEnded): void {
    this.#note('SESSION', `0x${sessionId.toString(16)} ended: ${reason}`);
    clearTimeout(this.#watchdogs.get(sessionId)?.timer);
    this.#watchdogs.delete(sessionId);
    this.#apply(this.#device.sessionEnded(sessionId));
  }

  /** Two periods without a HEARTBEAT end the session (DSP0274 10.16). */
  #arm(sessionId: number, period: number): void {
    clearTimeout(this.#watchdogs.get(sessionId)?.timer);
    if (period === 0) return;
    const expired = () => this.#apply(this.#spdm.heartbeatExpired(sessionId));
    const timer = setTimeout(expired, 2 * period * MS_PER_S);
    // A session nobody ends does not keep the program from ending.
    timer.unref();
    this.#watchdogs.set(sessionId, { timer, period });
  }
}
