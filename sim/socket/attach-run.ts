/** One attach in progress: what is known so far, and the one way to do a step of it. */

import { ascii, concat } from '../../protocols/codec/bytes.ts';
import { isPeerFault, type PeerFault, peerFault } from '../../protocols/codec/refusal.ts';
import type { SignatureName } from '../../protocols/crypto/algorithms.ts';
import { suiteOf } from '../../protocols/spdm/algorithms.ts';
import { type CapabilityName, capability, ResponseCodes } from '../../protocols/spdm/codes.ts';
import type { MeasurementBlockValue } from '../../protocols/spdm/measurements.ts';
import {
  connectionFacts,
  decodeMessage,
  type MessageValue,
} from '../../protocols/spdm/messages/registry.ts';
import { bothHave } from '../../protocols/spdm/negotiate.ts';
import type { LeafKey } from '../../protocols/spdm/observer/types.ts';
import { summaryFits } from '../../protocols/spdm/requester/auth.ts';
import {
  type Exchange,
  type RequesterSession,
  RequesterState,
} from '../../protocols/spdm/requester/state.ts';
import { requesterConfig } from './attach-config.ts';
import { Heartbeats } from './attach-heartbeat.ts';
import { AttachIdentity } from './attach-identity.ts';
import { type AttachReport, type AttachStep, emptyReport } from './attach-report.ts';
import { ChainJudge } from './attach-trust.ts';
import type { AttachLink, AttachOptions, PresharedKey } from './engines.ts';

const SUMMARY_ALL = 0xff;
/** Of KEY_EXCHANGE_RSP: behind header and RspSessionID (DSP0274 10.12). */
const MUT_AUTH_REQUESTED_AT = 6;
const MUT_AUTH_FORMS = 7;
const IDENTITY_SEED = 1;

const CONNECTION_DEFAULT = [
  ...['DIGEST', 'CERT', 'CHAL', 'MEAS', 'MEL', 'EP_INFO', 'GET_KEY_PAIR_INFO'],
];
const SESSION_DEFAULT = [
  ...['KEY_EX', 'HEARTBEAT', 'KEY_UPDATE', 'MEAS', 'MEL', 'EP_INFO', 'GET_KEY_PAIR_INFO'],
  ...['DIGEST', 'CERT', 'APP'],
];

/** The key the emulators are compiled with, terminating zeros included. */
const TEST_PSK: PresharedKey = {
  hint: concat(ascii('TestPskHint'), Uint8Array.of(0)),
  key: concat(ascii('TestPskData'), Uint8Array.of(0)),
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One attach in progress: what is known so far, and the one way to do a step. */
export class AttachRun {
  readonly options: AttachOptions;
  readonly link: AttachLink;
  readonly state: RequesterState;
  readonly heartbeats: Heartbeats;
  readonly judge: ChainJudge;
  readonly psks: readonly PresharedKey[];
  readonly connection: ReadonlySet<string>;
  readonly session: ReadonlySet<string>;
  readonly steps: AttachStep[] = [];
  readonly report: Mutable<AttachReport>;
  /** blocks of the last GET_MEASUREMENTS for all: what summaries must fit */
  blocks: readonly MeasurementBlockValue[] = [];
  /** chains as they were before anything was changed, by slot */
  readonly fetched = new Map<number, Uint8Array>();
  /** what the plain answers said, by response code */
  private readonly said = new Map<number, Uint8Array>();

  constructor(options: AttachOptions, link: AttachLink) {
    const { choices, crypto, roots, transport, files, identitySeed } = options;
    this.options = options;
    this.link = link;
    this.judge = new ChainJudge(options);
    this.psks = options.psks ?? [TEST_PSK];
    this.connection = new Set(choices.exeConnection ?? CONNECTION_DEFAULT);
    const withPsk = options.psks === undefined ? [] : ['PSK'];
    this.session = new Set(choices.exeSession ?? [...SESSION_DEFAULT, ...withPsk]);
    const identity = new AttachIdentity({
      crypto,
      seed: identitySeed ?? IDENTITY_SEED,
      slotCount: choices.slotCount ?? 1,
      ...(files === undefined ? {} : { files }),
    });
    const trust = (chain: Uint8Array, wanted: SignatureName | undefined) =>
      this.#trust(chain, wanted);
    this.state = new RequesterState(requesterConfig(options, { identity, psks: this.psks, trust }));
    this.heartbeats = new Heartbeats(this.state, options.clock ?? (() => performance.now()));
    const pinned = roots.length > 0 || files !== undefined;
    this.report = { ...emptyReport(transport.name, pinned), steps: this.steps };
  }

  get summaryType(): number {
    const asked = this.options.choices.measurementSummary ?? SUMMARY_ALL;
    return this.has('MEAS_CAP') ? asked : 0;
  }
  get slot(): number {
    return this.options.choices.slotId ?? 0;
  }

  /** The responder's. */
  has(name: CapabilityName): boolean {
    return capability(this.state.responderFlags, name) !== 0;
  }

  /** Of both sides. */
  shared(name: CapabilityName): boolean {
    const { config, responderFlags } = this.state;
    return bothHave({ requesterFlags: config.flags, responderFlags }, name);
  }

  /** A key to check signatures of the slot with is there. */
  knows(slot: number): boolean {
    return this.state.leaves.has(slot);
  }

  #trust(chain: Uint8Array, wanted: SignatureName | undefined): LeafKey | PeerFault {
    const { negotiated, version } = this.state;
    const suite = negotiated === undefined ? undefined : suiteOf(negotiated);
    const signature = wanted ?? suite?.signature;
    if (suite === undefined || signature === undefined)
      return peerFault('CHAIN_ALGORITHM', 'the negotiated algorithms are not computed here');
    return this.judge.trust(chain, suite.hash, signature, version);
  }

  /** Runs an exchange; its plain answers are kept. */
  drive<T>(exchange: Exchange<T>): Promise<T | PeerFault> {
    return this.link.drive(listened(exchange, this.said));
  }

  /** Does a step and records what became of it; undefined if it went wrong. */
  async step<T>(
    name: string,
    exchange: Exchange<T>,
    tell?: (value: T) => string,
  ): Promise<T | undefined> {
    const value = await this.drive(exchange);
    if (isPeerFault(value)) {
      this.record(name, outcomeOf(value), value.code, value.detail);
      return undefined;
    }
    this.record(name, 'ok', null, tell?.(value) ?? '');
    return value;
  }

  record(name: string, outcome: AttachStep['outcome'], code: string | null, detail: string): void {
    this.steps.push({ name, outcome, code, detail });
    const said = code === null ? outcome : `${outcome} ${code}`;
    this.options.note?.(name, detail === '' ? said : `${said}: ${detail}`);
  }

  /** A step that the responder does not offer. */
  absent(name: string, capabilityName: CapabilityName): void {
    const whose = this.has(capabilityName) ? 'the requester has' : 'the responder has';
    this.record(name, 'absent', null, `${whose} no ${capabilityName}`);
  }

  /** The responder does it, in a version that has it; false: it does not, and the report says so. */
  offers(name: string, capabilityName: CapabilityName, since: number): boolean {
    const isThere = this.state.version >= since && this.has(capabilityName);
    if (!isThere) this.absent(name, capabilityName);
    return isThere;
  }

  /** The last KEY_EXCHANGE_RSP wanted to know who the requester is. */
  askedToProve(): boolean {
    const answer = this.said.get(ResponseCodes.KEY_EXCHANGE_RSP);
    return ((answer?.[MUT_AUTH_REQUESTED_AT] ?? 0) & MUT_AUTH_FORMS) !== 0;
  }

  /** The last plain answer of this code, decoded. */
  answered<C extends 0x04 | 0x61>(code: C): MessageValue<C> | undefined {
    const bytes = this.said.get(code);
    if (bytes === undefined) return undefined;
    const decoded = decodeMessage(bytes, connectionFacts(bytes[0]!), 'leave');
    return decoded.ok ? (decoded.value as unknown as MessageValue<C>) : undefined;
  }
}

const outcomeOf = ({ code }: PeerFault): AttachStep['outcome'] =>
  code === 'SPDM_ERROR_UnsupportedRequest' ? 'absent' : 'refused';

/** Passes an exchange on, and keeps the plain answers. */
function* listened<T>(exchange: Exchange<T>, said: Map<number, Uint8Array>): Exchange<T> {
  let step = exchange.next();
  while (step.done !== true) {
    const received = yield step.value;
    const code = received.bytes[1];
    if (!received.secured && code !== undefined) said.set(code, received.bytes);
    step = exchange.next(received);
  }
  return step.value;
}

/** Holds a summary hash of all measurements against the blocks reported. */
export function judgeSummary(run: AttachRun, name: string, summary: Uint8Array | undefined): void {
  const all = run.summaryType === SUMMARY_ALL && run.options.choices.measurementAttribute !== 'RAW';
  if (summary === undefined || run.blocks.length === 0 || !all) return;
  if (summaryFits(run.state, summary, run.blocks)) return run.record(name, 'ok', null, '');
  run.record(name, 'refused', 'SUMMARY', 'the summary hash is not that of the measurements');
}

/** Where a step is done, as its name says it. */
export const within = (name: string, session: RequesterSession | undefined): string =>
  session === undefined ? name : `${name} in the session`;
