/**
 * What `attach` changes in a responder if it is told to: a certification request, the chain of a slot, a
 * key pair. The slot gets a chain out of the directory, or the one it had; the key pair stays as it is.
 */

import { toHex } from '../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../protocols/codec/refusal.ts';
import { suiteOf } from '../../protocols/spdm/algorithms.ts';
import { SpdmVersions } from '../../protocols/spdm/codes.ts';
import { CertModels } from '../../protocols/spdm/messages/auth.ts';
import { PUBLIC_KEY_SLOT } from '../../protocols/spdm/messages/header.ts';
import {
  getCsr,
  getKeyPairInfo,
  type Stored,
  setCertificate,
  setKeyPairInfo,
} from '../../protocols/spdm/requester/provisioning.ts';
import type { Exchange, RequesterSession } from '../../protocols/spdm/requester/state.ts';
import { encodeCertChain } from '../../protocols/x509/spdm-chain.ts';
import { chainToSet } from './attach-identity.ts';
import { type AttachRun, within } from './attach-run.ts';

type Session = RequesterSession | undefined;

const KEY_PAIR = 1;
const WAITS = 'done at the next reset';
const storedText = (stored: Stored): string => ('stored' in stored ? '' : WAITS);

/** What a multi-key connection wants to know of the slot's key; nothing in others. */
function keyOf({ state }: AttachRun, slot: number): { keyPairId?: number; certModel?: number } {
  if (state.negotiated?.multiKeyConn !== true) return {};
  const keyPairId = state.slotFacts?.keys.get(slot)?.keyPairId ?? KEY_PAIR;
  return { keyPairId, certModel: CertModels.DeviceCert };
}

/** GET_CSR for the slot's key. */
export async function certificateRequest(run: AttachRun, session?: Session): Promise<void> {
  const name = within('certificate request', session);
  if (!run.offers(name, 'CSR_CAP', SpdmVersions.V1_2)) return;
  const slot = run.slot === PUBLIC_KEY_SLOT ? 0 : run.slot;
  const csr = await run.step(name, getCsr(run.state, session, keyOf(run, slot)), (found) =>
    'info' in found ? `for ${found.info.subject}` : WAITS,
  );
  if (csr !== undefined && 'der' in csr) run.report.certificateRequest = toHex(csr.der);
}

/** The chain to store in a slot; undefined: there is none to give. */
function chainFor(run: AttachRun, slot: number): Uint8Array | undefined {
  const { crypto, files } = run.options;
  const suite = run.state.negotiated && suiteOf(run.state.negotiated);
  if (suite?.signature === undefined) return undefined;
  const ders = chainToSet(files, suite.signature);
  if (ders === undefined) return run.fetched.get(slot) ?? run.fetched.get(run.slot);
  return encodeCertChain(crypto, suite.hash, run.state.version, ders);
}

/** SET_CERTIFICATE of one slot. */
export async function storeCertificate(
  run: AttachRun,
  slot: number,
  session?: Session,
): Promise<void> {
  const name = within(`chain into slot ${slot}`, session);
  if (!run.offers(name, 'SET_CERT_CAP', SpdmVersions.V1_2)) return;
  const chain = chainFor(run, slot);
  if (chain === undefined) return run.record(name, 'absent', null, 'there is no chain to store');
  const asked = { slot, ...keyOf(run, slot) };
  await run.step(name, setCertificate(run.state, session, asked, chain), storedText);
}

/** What the key pair belongs to, set to what it is. */
function* changeNothing(run: AttachRun, session: Session): Exchange<Stored> {
  const info = yield* getKeyPairInfo(run.state, session, KEY_PAIR);
  if (isPeerFault(info)) return info;
  const { keyPairId, slots } = info;
  return yield* setKeyPairInfo(run.state, session, {
    operation: 'ParameterChange',
    keyPairId,
    slots,
  });
}

/** SET_KEY_PAIR_INFO that leaves the first key pair as it is. */
export async function keepKeyPair(run: AttachRun, session?: Session): Promise<void> {
  const name = within(`key pair ${KEY_PAIR} set`, session);
  if (!run.offers(name, 'SET_KEY_PAIR_INFO_CAP', SpdmVersions.V1_3)) return;
  await run.step(name, changeNothing(run, session), storedText);
}
