/** The secured part of an attach: sessions from KEY_EXCHANGE or PSK_EXCHANGE to END_SESSION, one after the other. */

import { isKem } from '../../protocols/spdm/algorithms.ts';
import type { CapabilityName } from '../../protocols/spdm/codes.ts';
import { PUBLIC_KEY_SLOT } from '../../protocols/spdm/messages/header.ts';
import {
  getCertificate,
  getDigests,
  trustChain,
} from '../../protocols/spdm/requester/certificates.ts';
import { updateKeys } from '../../protocols/spdm/requester/key-update.ts';
import { openPskSession } from '../../protocols/spdm/requester/psk.ts';
import { openSession } from '../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../protocols/spdm/requester/session-life.ts';
import { hashName, type RequesterSession } from '../../protocols/spdm/requester/state.ts';
import { application } from './attach-application.ts';
import { prompted } from './attach-encapsulated.ts';
import { endpointInfo, keyPairs, measure, measurementLog } from './attach-information.ts';
import { certificateRequest, keepKeyPair, storeCertificate } from './attach-provisioning.ts';
import type { AttachSession } from './attach-report.ts';
import { type AttachRun, judgeSummary } from './attach-run.ts';

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
const idText = ({ id }: RequesterSession) => `0x${hex(id, 8)}`;

function keep(run: AttachRun, session: RequesterSession, slot: number | null): void {
  const { exchange } = run.state.negotiated ?? {};
  const { id, heartbeatPeriod } = session;
  const kind =
    session.kind === 'DHE' && exchange !== undefined && isKem(exchange) ? 'KEM' : session.kind;
  const mutual = session.kind === 'DHE' && run.askedToProve();
  run.report.requesterAuthenticated ||= mutual;
  const kept: AttachSession = { kind, id, slot, heartbeatPeriod, mutual };
  run.report.sessions = [...run.report.sessions, kept];
}

async function updates(run: AttachRun, session: RequesterSession): Promise<void> {
  const { state } = run;
  const choice = run.options.choices.keyUpdate ?? 'ALL';
  if (!run.shared('KEY_UPD_CAP')) return run.absent('key update', 'KEY_UPD_CAP');
  if (choice === 'RSP') return prompted(run, 'KEY_UPDATE', session);
  const operation = choice === 'REQ' ? 'UpdateKey' : 'UpdateAllKeys';
  await run.step('key update', updateKeys(state, session, operation), () => operation);
}

async function keepAlive(run: AttachRun, session: RequesterSession): Promise<void> {
  if (run.shared('HBEAT_CAP')) await run.step('heartbeat', heartbeat(run.state, session));
  else run.absent('heartbeat', 'HBEAT_CAP');
}

async function digestsInside(run: AttachRun, session: RequesterSession): Promise<void> {
  if (!run.has('CERT_CAP')) return run.absent('digests in the session', 'CERT_CAP');
  await run.step(
    'digests in the session',
    getDigests(run.state, session),
    (found) => `slots ${[...found.keys()]}`,
  );
}

/** The chosen slot's chain again: it must be the one that was judged. */
async function certificateInside(run: AttachRun, session: RequesterSession): Promise<void> {
  const { state, slot } = run;
  const known = state.chains.get(slot);
  if (slot === PUBLIC_KEY_SLOT || known === undefined) return;
  const digest = run.options.crypto.hash(hashName(state), known);
  await run.step(
    `certificate ${slot} in the session`,
    getCertificate(state, slot, digest, session),
    ({ length }) => `${length} bytes`,
  );
  // The same bytes as before, and as good.
  if (!state.leaves.has(slot)) trustChain(state, slot);
}

/** SET_CERTIFICATE of the highest other slot. */
async function storeOther(run: AttachRun, session: RequesterSession): Promise<void> {
  const slot = otherSlot(run);
  if (slot !== undefined) await storeCertificate(run, slot, session);
}

/** What is asked and changed in a session, by the emulators' name of it, in this order. */
const services: readonly (readonly [
  name: string,
  act: (run: AttachRun, session: RequesterSession) => Promise<void>,
])[] = [
  ['APP', application],
  ['HEARTBEAT', keepAlive],
  ['KEY_UPDATE', updates],
  ['MEAS', measure],
  ['MEL', measurementLog],
  ['EP_INFO', endpointInfo],
  ['GET_KEY_PAIR_INFO', keyPairs],
  ['DIGEST', digestsInside],
  ['CERT', certificateInside],
];
/** The last session alone does these: what comes before it finds the responder as it came. */
const changes: typeof services = [
  ['GET_CSR', certificateRequest],
  ['SET_CERT', storeOther],
  ['SET_KEY_PAIR_INFO', keepKeyPair],
];

/** What is done in an open session, and its end. */
async function inside(run: AttachRun, session: RequesterSession, isLast: boolean): Promise<void> {
  const { state } = run;
  const wants = (name: string) => run.session.has(name) && state.sessions.has(session.id);
  for (const [name, act] of isLast ? [...services, ...changes] : services) {
    if (!wants(name)) continue;
    // What came of it the next step tells.
    await run.drive(run.heartbeats.due(session));
    await act(run, session);
  }
  if (!state.sessions.has(session.id)) return;
  if (!run.session.has('NO_END')) await run.step('end of session', endSession(state, session));
}
async function keyExchangeSession(run: AttachRun, slot: number, isLast: boolean): Promise<void> {
  const { state, summaryType } = run;
  const name = slot === run.slot ? 'session' : `session of slot ${slot}`;
  const session = await run.step(
    name,
    openSession(state, { slot, summaryType, terminationPolicy: 0 }),
    idText,
  );
  if (session === undefined) return;
  keep(run, session, slot);
  judgeSummary(run, 'summary of KEY_EXCHANGE_RSP', session.summary);
  await inside(run, session, isLast);
}

async function pskSession(run: AttachRun, hint: Uint8Array, isLast: boolean): Promise<void> {
  const { state, summaryType } = run;
  const asked = { hint, summaryType, terminationPolicy: 0 } as const;
  const session = await run.step('PSK session', openPskSession(state, asked), idText);
  if (session === undefined) return;
  keep(run, session, null);
  judgeSummary(run, 'summary of PSK_EXCHANGE_RSP', session.summary);
  await inside(run, session, isLast);
}

/** Capabilities a session takes; false: one is missing, and the report says so. */
function offered(run: AttachRun, name: string, ...needed: CapabilityName[]): boolean {
  const missing = needed.find((each) => !run.shared(each));
  if (missing !== undefined) run.absent(name, missing);
  return missing === undefined;
}

/** The highest other slot whose chain is trusted. */
function otherSlot({ state, slot }: AttachRun): number | undefined {
  const others = [...state.leaves.keys()].filter((each) => each !== slot && each < 8);
  return slot === PUBLIC_KEY_SLOT || others.length === 0 ? undefined : Math.max(...others);
}

/** A session on the chosen slot, one from each pre-shared key, one on the highest other slot. */
export async function attachSessions(run: AttachRun): Promise<void> {
  const opened: ((isLast: boolean) => Promise<void>)[] = [];
  const other = otherSlot(run);
  const exchanges = run.session.has('KEY_EX') && offered(run, 'session', 'KEY_EX_CAP');
  if (exchanges && !run.knows(run.slot))
    run.record('session', 'absent', null, `no key of slot ${run.slot} is known and trusted`);
  const able = exchanges && run.knows(run.slot);
  if (able) opened.push((isLast) => keyExchangeSession(run, run.slot, isLast));
  if (run.session.has('PSK') && offered(run, 'PSK session', 'PSK_CAP'))
    for (const { hint } of run.psks) opened.push((isLast) => pskSession(run, hint, isLast));
  if (able && other !== undefined) opened.push((isLast) => keyExchangeSession(run, other, isLast));
  for (const [at, open] of opened.entries()) await open(at === opened.length - 1);
}
