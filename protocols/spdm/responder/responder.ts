/**
 * The responder of one connection (DSP0274): request bytes in; answer, work and effects out. It owns
 * no clock and no transport. What it cannot read or may not take is answered with a named ERROR, and
 * changes nothing; a record that does not open ends its session (DSP0277).
 */

import { encode } from '../../codec/layout.ts';
import type { Effect, Work } from '../../engine.ts';
import { capability, ErrorCodes, RequestCodes, ResponseCodes } from '../codes.ts';
import { turnResponseKey } from '../key-update.ts';
import { error as errorLayout } from '../messages/error.ts';
import { connectionFacts, decodeMessage, inVersion } from '../messages/registry.ts';
import { handshakeInTheClear } from '../negotiate.ts';
import {
  fromApplicationData,
  isOtherProtocol,
  recordSessionId,
  toApplicationData,
} from '../secured-message.ts';
import type { SealFacts } from '../session-keys.ts';
import { isCarrier } from '../transcript.ts';
import { awaited, fitting } from './chunks.ts';
import { defer, dropHeld, type Held } from './deferred.ts';
import { requestInFlight } from './encapsulated.ts';
import { turnOwnKey } from './encapsulated-requests.ts';
import { handlers } from './handlers.ts';
import { capable, endsHandshake, illegal, nextPhase, type Phase } from './rules.ts';
import { endByTerminationPolicy } from './session-life.ts';
import {
  type Answer,
  type ErrorAnswer,
  isErrorAnswer,
  type ResponderConfig,
  type ResponderSession,
  ResponderState,
  type Turn,
  unexpected,
  whereOf,
} from './state.ts';

export interface Packet {
  /** a secured record, else a plain message */
  readonly secured: boolean;
  readonly bytes: Uint8Array;
  /** of a record on its way out: what it was sealed with */
  readonly seal?: SealFacts;
}

export interface ResponderOutcome {
  /** undefined: the request is met with silence */
  readonly reply: Packet | undefined;
  /** the request and answer in the clear, for traces */
  readonly request: Uint8Array;
  readonly answer: Uint8Array | undefined;
  readonly sessionId: number | undefined;
  readonly work: readonly Work[];
  readonly effects: readonly Effect[];
  /** an answer was held back: call `ready` with its token once this work is done */
  readonly held?: Pick<Held, 'token' | 'work' | 'rdtExponent' | 'rdtm'>;
}

interface Answered {
  readonly answer: Answer;
  /** the request without padding */
  readonly request: Uint8Array;
}

/** Why a session ends whose keys have no sequence number left (DSP0277). */
const AEAD_LIMIT = 'AEAD limit reached';

export class SpdmResponder {
  readonly state: ResponderState;

  constructor(config: ResponderConfig) {
    this.state = new ResponderState(config);
  }

  /** One request of the peer. */
  receive(packet: Packet): ResponderOutcome {
    const work: Work[] = [{ op: 'message' }];
    const effects: Effect[] = [];
    if (!packet.secured) return this.exchange(packet.bytes, undefined, work, effects);
    const id = recordSessionId(packet.bytes);
    const session = id === undefined ? undefined : this.state.sessions.get(id);
    work.push({ op: 'aead-open', bytes: packet.bytes.length });
    const data = session?.keys.open('request', packet.bytes);
    if (session !== undefined && data?.ok && isOtherProtocol(this.state.config.binding, data.value))
      return this.application(session, data.value, work, effects);
    const opened = data && fromApplicationData(this.state.config.binding, data);
    if (session === undefined || opened === undefined || !opened.ok) {
      // DSP0277 leaves the answer open: ERROR(DecryptError) outside the session, which is over.
      if (session !== undefined) {
        const worn = session.keys.exhausted('request');
        const reason = worn ? AEAD_LIMIT : 'a record could not be opened';
        this.state.endSession(session.id, effects, reason);
      }
      const bytes = this.error({ error: ErrorCodes.DecryptError });
      const reply = { secured: false, bytes };
      return { reply, request: packet.bytes, answer: bytes, sessionId: id, work, effects };
    }
    return this.exchange(opened.value, session, work, effects);
  }

  /** The work behind a held answer is done: RESPOND_IF_READY will fetch it. */
  ready(token: number): void {
    const { held } = this.state;
    if (held?.token === token) held.ready = true;
  }

  /** The requester did not come back in time for a held answer (RDT x RDTM): it is given up. */
  expire(token: number): void {
    if (this.state.held?.token === token) this.state.held = undefined;
  }

  /** Firmware or its configuration changed at run time: ends the sessions that do not outlive that. */
  runtimeUpdated(): readonly Effect[] {
    return endByTerminationPolicy(this.state);
  }

  /** The watchdog of a session ran out: two heartbeat periods without a HEARTBEAT. */
  heartbeatExpired(sessionId: number): readonly Effect[] {
    const effects: Effect[] = [];
    this.state.endSession(sessionId, effects, 'heartbeat expired');
    return effects;
  }

  /**
   * Every session is gone, and what was negotiated too, unless CACHE_CAP keeps it: then the requester
   * may go on without VCA (DSP0274 10.3).
   */
  reset(reason: string): readonly Effect[] {
    const effects: Effect[] = [];
    const { state } = this;
    const keeps = capability(state.config.flags, 'CACHE_CAP') === 1 && state.cachesNegotiated;
    if (keeps && state.phase === 'NEGOTIATED') state.endSessions(effects, reason);
    else state.reset(effects, reason);
    return effects;
  }

  private exchange(
    message: Uint8Array,
    session: ResponderSession | undefined,
    work: Work[],
    effects: Effect[],
  ): ResponderOutcome {
    const turn = this.turnOf(message, session, work, effects);
    const before = this.state.held;
    const { answer, request } = this.answer(turn, true);
    const bytes = isErrorAnswer(answer) ? turn.encodeError(answer) : answer;
    const sessionId = session?.id;
    if (bytes !== undefined && session !== undefined && this.state.sessions.has(session.id)) {
      turnResponseKey(session.keys, session.keyUpdate, bytes);
      turnOwnKey(session.keys, bytes);
      if (session.keys.exhausted('response')) {
        // Nothing that the answer commits to happens.
        const reply = this.wornOut(session, effects);
        return { reply, request, answer: reply.bytes, sessionId, work, effects };
      }
    }
    const reply = bytes === undefined ? undefined : this.seal(bytes, session, work);
    for (const commit of turn.commits) commit();
    // What is put off tells of its effects in a later turn, through the same array.
    const told = [effects, ...turn.late].flatMap((list) => list.splice(0));
    const outcome = { reply, request, answer: bytes, sessionId, work, effects: told };
    const { held } = this.state;
    return held === undefined || held === before ? outcome : { ...outcome, held };
  }

  /** What a session carries besides SPDM: who does not know it is silent, and the session goes on. */
  private application(
    session: ResponderSession,
    request: Uint8Array,
    work: Work[],
    effects: Effect[],
  ): ResponderOutcome {
    const { id: sessionId, keys } = session;
    const known = session.established ? this.state.config.application : undefined;
    const answer = known?.(sessionId, request);
    const said = { request, sessionId, work, effects };
    if (answer === undefined) return { reply: undefined, answer, ...said };
    if (keys.exhausted('response')) {
      const reply = this.wornOut(session, effects);
      return { reply, answer: reply.bytes, ...said };
    }
    work.push({ op: 'aead-seal', bytes: answer.length });
    const seal = keys.nextSeal('response');
    const bytes = keys.seal('response', sessionId, answer);
    return { reply: { secured: true, bytes, seal }, answer, ...said };
  }

  private turnOf(
    request: Uint8Array,
    session: ResponderSession | undefined,
    work: Work[],
    effects: Effect[],
  ): Turn {
    const version = request[0] ?? 0x10;
    return {
      request,
      version,
      session,
      work,
      effects,
      late: [],
      commits: [],
      dispatch: (into, inner) => {
        const turn = this.turnOf(inner, session, work, effects);
        const { answer } = this.answer(turn, false);
        into.commits.push(...turn.commits);
        return answer;
      },
      encodeError: (answer) => this.error(answer, this.errorVersion(request)),
    };
  }

  /** No key is left to seal an answer with: the session is over, and that is said in the clear. */
  private wornOut(session: ResponderSession, effects: Effect[]): Packet {
    this.state.endSession(session.id, effects, AEAD_LIMIT);
    return { secured: false, bytes: this.error({ error: ErrorCodes.DecryptError }) };
  }

  private seal(bytes: Uint8Array, session: ResponderSession | undefined, work: Work[]): Packet {
    const alive = session !== undefined && this.state.sessions.has(session.id);
    if (!alive) return { secured: false, bytes };
    work.push({ op: 'aead-seal', bytes: bytes.length });
    const seal = session.keys.nextSeal('response');
    const data = toApplicationData(this.state.config.binding, bytes);
    return { secured: true, bytes: session.keys.seal('response', session.id, data), seal };
  }

  /** Answers `turn.request`, which came as one message (`whole`) or was put together from chunks. */
  private answer(turn: Turn, whole: boolean): Answered {
    const { state } = this;
    const raw = turn.request;
    const refused = (answer: Answer): Answered => ({ answer, request: raw });
    if (raw.length < 4) return refused({ error: ErrorCodes.InvalidRequest });
    const code = raw[1]!;
    const session = turn.session ?? this.plainHandshake(code);
    const refusal = this.refusal(turn, code, session, whole);
    if (refusal !== 'none') return refused(refusal);
    const facts = connectionFacts(turn.version, state.negotiated);
    const padded = turn.session === undefined && whole;
    const decoded = decodeMessage(raw, facts, padded ? 'leave' : 'refuse');
    if (!decoded.ok) return refused({ error: ErrorCodes.InvalidRequest });
    const request = raw.slice(0, decoded.size);
    dropHeld(state, code);
    this.resetLogs(code, turn);
    const clean: Turn = { ...turn, request, commits: [] };
    const handler = handlers[code] as (
      state: ResponderState,
      turn: Turn,
      value: unknown,
      session: ResponderSession | undefined,
    ) => Answer;
    const made = handler(state, clean, decoded.value, session);
    if (isErrorAnswer(made) && code === RequestCodes.GET_MEASUREMENTS)
      (turn.session ?? state).transcript.l.clear();
    const next = this.nextPhase(code);
    if (next !== undefined && !isErrorAnswer(made))
      clean.commits.push(() => {
        state.phase = next;
      });
    const given = defer(state, clean, code, made);
    const answer = whole ? fitting(state, clean, given) : given;
    turn.commits = clean.commits;
    return { answer, request };
  }

  private nextPhase(code: number): Phase | undefined {
    const told = this.state.config.beforehand !== undefined;
    return told && code === RequestCodes.GET_VERSION ? 'NEGOTIATED' : nextPhase[code];
  }

  /** Why a request is not taken at all; silence is an answer too. */
  private refusal(
    turn: Turn,
    code: number,
    session: ResponderSession | undefined,
    whole: boolean,
  ): Answer | 'none' {
    const { state } = this;
    const { config, phase } = state;
    const illegality = illegal(code, phase, whereOf(session));
    const unsupported: ErrorAnswer = { error: ErrorCodes.UnsupportedRequest, data: code };
    if (illegality === ErrorCodes.UnsupportedRequest || handlers[code] === undefined)
      return unsupported;
    if (!this.versionFits(code, turn.version)) return { error: ErrorCodes.VersionMismatch };
    if (this.versionKnown() && !inVersion(code, turn.version)) return unsupported;
    const waits = whole ? awaited(state, turn.session?.id) : undefined;
    if (waits !== undefined && code !== waits && code !== RequestCodes.GET_VERSION)
      return unexpected;
    if (illegality === ErrorCodes.UnexpectedRequest && phase !== 'NEGOTIATED')
      return this.unnegotiated();
    const { session: inside } = turn;
    const known = capable(code, config.flags, state.requesterFlags);
    if (inside !== undefined && known && endsHandshake(code, whereOf(inside)))
      turn.commits.push(() =>
        state.endSession(inside.id, turn.effects, 'the finish of another kind of session'),
      );
    if (illegality !== undefined) return { error: this.errorOf(illegality) };
    if (requestInFlight(state, turn.session?.id, code))
      return { error: ErrorCodes.RequestInFlight };
    if (!known) return unsupported;
    // With HANDSHAKE_IN_THE_CLEAR, FINISH has no place inside a record.
    if (turn.session !== undefined && code === RequestCodes.FINISH && this.clearHandshake())
      return unexpected;
    return 'none';
  }

  /** GET_CAPABILITIES has picked a version. */
  private versionKnown(): boolean {
    const { phase } = this.state;
    return phase === 'AFTER_CAPABILITIES' || phase === 'NEGOTIATED';
  }

  private unnegotiated(): Answer {
    const policy = this.state.config.unnegotiated ?? 'UnexpectedRequest';
    if (policy === 'silence') return undefined;
    if (policy === 'UnexpectedRequest') return unexpected;
    this.state.phase = 'NOT_STARTED';
    return { error: ErrorCodes.RequestResynch };
  }

  private resetLogs(code: number, turn: Turn): void {
    const { transcript, authenticated } = this.state;
    if (turn.session === undefined) return transcript.onRequest(code, authenticated);
    if (isCarrier(code)) return;
    transcript.closesDigestsWindow(code);
    if (code !== RequestCodes.GET_MEASUREMENTS) turn.session.transcript.l.clear();
  }

  /** With HANDSHAKE_IN_THE_CLEAR, FINISH and what comes before it travel outside the record layer. */
  private plainHandshake(code: number): ResponderSession | undefined {
    return code === RequestCodes.FINISH && this.clearHandshake()
      ? this.state.handshaking()
      : undefined;
  }

  private clearHandshake(): boolean {
    const { negotiated } = this.state;
    return negotiated !== undefined && handshakeInTheClear(negotiated);
  }

  /** SessionRequired came with 1.2; before, Unspecified says as much. */
  private errorOf(refusal: number): number {
    const unknown = refusal === ErrorCodes.SessionRequired && this.state.version < 0x12;
    return unknown ? ErrorCodes.Unspecified : refusal;
  }

  private versionFits(code: number, version: number): boolean {
    if (code === RequestCodes.GET_VERSION) return version === 0x10;
    if (code === RequestCodes.GET_CAPABILITIES) return this.state.config.versions.includes(version);
    return version === this.state.version;
  }

  /** GET_CAPABILITIES picks the version, so an ERROR to it bears the one it picked if we speak it. */
  private errorVersion(request: Uint8Array): number {
    const { phase, version, config } = this.state;
    const [asked = 0x10, code] = request;
    const picks = phase === 'AFTER_VERSION' && code === RequestCodes.GET_CAPABILITIES;
    return picks && config.versions.includes(asked) ? asked : version;
  }

  private error(answer: ErrorAnswer, version = this.state.version): Uint8Array {
    return encode(errorLayout, {
      SPDMVersion: this.state.phase === 'NOT_STARTED' ? 0x10 : version,
      RequestResponseCode: ResponseCodes.ERROR,
      Param1: answer.error,
      Param2: answer.data ?? 0,
      ExtendedErrorData: answer.extended ?? new Uint8Array(0),
    });
  }
}
