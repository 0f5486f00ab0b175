/**
 * The responder of one connection (DSP0274): request bytes in; answer, work and effects out. It owns
 * no clock and no transport. What it cannot read or may not take is answered with a named ERROR, and
 * changes nothing; a record that does not open ends its session (DSP0277).
 */

import { concat, le } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import type { Effect, Work } from '../../engine.ts';
import {
  ErrorCodes,
  PCI_SIG_VENDOR_ID,
  RegistryIds,
  RequestCodes,
  ResponseCodes,
} from '../codes.ts';
import { connectionFacts, decodeMessage } from '../messages/registry.ts';
import * as vcaLayouts from '../messages/vca.ts';
import { handshakeInTheClear } from '../negotiate.ts';
import { fromApplicationData, recordSessionId, toApplicationData } from '../secured-message.ts';
import type { SealFacts } from '../session-keys.ts';
import { answerCertificate, answerChallenge, answerDigests, answerMeasurements } from './auth.ts';
import { capable, illegal, nextPhase, type Where } from './rules.ts';
import { answerEndSession, answerFinish, answerHeartbeat, answerKeyExchange } from './session.ts';
import {
  type Answer,
  type ErrorAnswer,
  isErrorAnswer,
  type ResponderConfig,
  type ResponderSession,
  ResponderState,
  type Turn,
} from './state.ts';
import { answerAlgorithms, answerCapabilities, answerVersion } from './vca.ts';

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
}

type Handler = (
  state: ResponderState,
  turn: Turn,
  value: never,
  session: ResponderSession,
) => Answer;

const handlers: Readonly<Record<number, Handler>> = {
  [RequestCodes.GET_VERSION]: answerVersion,
  [RequestCodes.GET_CAPABILITIES]: answerCapabilities,
  [RequestCodes.NEGOTIATE_ALGORITHMS]: answerAlgorithms,
  [RequestCodes.GET_DIGESTS]: answerDigests,
  [RequestCodes.GET_CERTIFICATE]: answerCertificate,
  [RequestCodes.CHALLENGE]: answerChallenge,
  [RequestCodes.GET_MEASUREMENTS]: answerMeasurements,
  [RequestCodes.KEY_EXCHANGE]: answerKeyExchange,
  [RequestCodes.FINISH]: answerFinish,
  [RequestCodes.HEARTBEAT]: answerHeartbeat,
  [RequestCodes.END_SESSION]: (state, turn, _value, session) =>
    answerEndSession(state, turn, session),
  [RequestCodes.VENDOR_DEFINED_REQUEST]: answerVendor,
};

/** VENDOR_DEFINED of the PCI-SIG: the first payload byte names the protocol. */
function answerVendor(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof vcaLayouts.vendorDefined>,
): Answer {
  const [low, high] = value.VendorID;
  const pciSig =
    value.StandardID === RegistryIds.PCI_SIG &&
    value.VendorID.length === 2 &&
    low! + high! * 256 === PCI_SIG_VENDOR_ID;
  const protocol = pciSig
    ? state.config.vendor.find((candidate) => candidate.protocolId === value.Payload[0])
    : undefined;
  if (protocol === undefined)
    return { error: ErrorCodes.UnsupportedRequest, data: turn.request[1]! };
  const outcome = protocol.handle(value.Payload.slice(1), turn.session?.id);
  turn.work.push(...outcome.work);
  turn.effects.push(...outcome.effects);
  const { reply } = outcome;
  if (reply === undefined) return undefined;
  if (!(reply instanceof Uint8Array))
    return reply.data === undefined
      ? { error: reply.spdmError }
      : { error: reply.spdmError, data: reply.data };
  return encode(vcaLayouts.vendorDefined, {
    SPDMVersion: turn.version,
    RequestResponseCode: ResponseCodes.VENDOR_DEFINED_RESPONSE,
    Param1: 0,
    Param2: 0,
    StandardID: value.StandardID,
    VendorID: value.VendorID,
    Payload: concat(Uint8Array.of(protocol.protocolId), reply),
  });
}

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
    const opened = data && fromApplicationData(this.state.config.binding, data);
    if (session === undefined || opened === undefined || !opened.ok) {
      // DSP0277 leaves the answer open: ERROR(DecryptError) outside the session, which is over.
      if (session !== undefined)
        this.state.endSession(session.id, effects, 'a record could not be opened');
      const bytes = this.error({ error: ErrorCodes.DecryptError });
      const reply = { secured: false, bytes };
      return { reply, request: packet.bytes, answer: bytes, sessionId: id, work, effects };
    }
    return this.exchange(opened.value, session, work, effects);
  }

  /** The watchdog of a session ran out: two heartbeat periods without a HEARTBEAT. */
  heartbeatExpired(sessionId: number): readonly Effect[] {
    const effects: Effect[] = [];
    this.state.endSession(sessionId, effects, 'heartbeat expired');
    return effects;
  }

  /** Power-on state; every session is gone. */
  reset(reason: string): readonly Effect[] {
    const effects: Effect[] = [];
    this.state.reset(effects, reason);
    return effects;
  }

  private exchange(
    message: Uint8Array,
    session: ResponderSession | undefined,
    work: Work[],
    effects: Effect[],
  ): ResponderOutcome {
    const version = message[0] ?? 0x10;
    const turn: Turn = { request: message, version, session, work, effects, afterSeal: undefined };
    const { answer, request } = this.answer(turn);
    const bytes = isErrorAnswer(answer) ? this.error(answer, this.errorVersion(message)) : answer;
    const reply = bytes === undefined ? undefined : this.seal(bytes, session, work);
    turn.afterSeal?.();
    return { reply, request, answer: bytes, sessionId: session?.id, work, effects };
  }

  private seal(bytes: Uint8Array, session: ResponderSession | undefined, work: Work[]): Packet {
    const alive = session !== undefined && this.state.sessions.has(session.id);
    if (!alive) return { secured: false, bytes };
    work.push({ op: 'aead-seal', bytes: bytes.length });
    const seal = session.keys.nextSeal('response');
    const data = toApplicationData(this.state.config.binding, bytes);
    return { secured: true, bytes: session.keys.seal('response', session.id, data), seal };
  }

  private answer(turn: Turn): { answer: Answer; request: Uint8Array } {
    const { state } = this;
    const raw = turn.request;
    const refused = (error: number, data?: number) => ({
      answer: data === undefined ? { error } : { error, data },
      request: raw,
    });
    if (raw.length < 4) return refused(ErrorCodes.InvalidRequest);
    const code = raw[1]!;
    const session = turn.session ?? this.plainHandshake(code);
    const where = whereOf(session);
    const refusal = illegal(code, state.phase, where);
    if (refusal === ErrorCodes.UnsupportedRequest) return refused(refusal, code);
    if (!this.versionFits(code, turn.version)) return refused(ErrorCodes.VersionMismatch);
    if (refusal !== undefined) return refused(this.errorOf(refusal));
    if (!capable(code, state.config.flags)) return refused(ErrorCodes.UnsupportedRequest, code);
    // With HANDSHAKE_IN_THE_CLEAR, FINISH has no place inside a record.
    if (turn.session !== undefined && code === RequestCodes.FINISH && this.clearHandshake())
      return refused(ErrorCodes.UnexpectedRequest);
    const facts = connectionFacts(turn.version, state.negotiated);
    const decoded = decodeMessage(raw, facts, turn.session === undefined ? 'leave' : 'refuse');
    if (!decoded.ok) return refused(ErrorCodes.InvalidRequest);
    const exact = raw.slice(0, decoded.size);
    const clean: Turn = { ...turn, request: exact };
    if (turn.session === undefined) state.transcript.onRequest(code, state.authenticated);
    else if (code !== RequestCodes.GET_MEASUREMENTS) turn.session.transcript.l.clear();
    const handler = handlers[code] as (
      state: ResponderState,
      turn: Turn,
      value: unknown,
      session: ResponderSession | undefined,
    ) => Answer;
    const made = handler(state, clean, decoded.value, session);
    const answer = this.fitting(made);
    // What was too long to be sent commits to nothing.
    turn.afterSeal = answer === made ? clean.afterSeal : undefined;
    if (isErrorAnswer(answer) && code === RequestCodes.GET_MEASUREMENTS)
      (turn.session ?? state).transcript.l.clear();
    const next = nextPhase[code];
    if (next !== undefined && !isErrorAnswer(answer)) state.phase = next;
    return { answer, request: exact };
  }

  /** With HANDSHAKE_IN_THE_CLEAR, FINISH travels outside the record layer. */
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

  /** An answer longer than the requester's DataTransferSize is not sent; chunks are not offered. */
  private fitting(answer: Answer): Answer {
    const isTooLarge =
      answer instanceof Uint8Array && answer.length > this.state.requesterDataTransferSize;
    return isTooLarge
      ? { error: ErrorCodes.ResponseTooLarge, extended: le(answer.length, 4) }
      : answer;
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
    return encode(vcaLayouts.error, {
      SPDMVersion: this.state.phase === 'NOT_STARTED' ? 0x10 : version,
      RequestResponseCode: ResponseCodes.ERROR,
      Param1: answer.error,
      Param2: answer.data ?? 0,
      ExtendedErrorData: answer.extended ?? new Uint8Array(0),
    });
  }
}

function whereOf(session: ResponderSession | undefined): Where {
  if (session === undefined) return 'plain';
  return session.established ? 'established' : 'handshake';
}
