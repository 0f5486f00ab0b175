/** The first part of an attach: VCA, who the responder is, and its proof of it (DSP0274 10.2 to 10.7). */

import { isPeerFault } from '../../protocols/codec/refusal.ts';
import { suiteOf } from '../../protocols/spdm/algorithms.ts';
import {
  type CapabilityName,
  capability,
  capabilityBits,
  ResponseCodes,
  versionText,
} from '../../protocols/spdm/codes.ts';
import { PUBLIC_KEY_SLOT } from '../../protocols/spdm/messages/header.ts';
import { challenge } from '../../protocols/spdm/requester/auth.ts';
import {
  getCertificate,
  getDigests,
  trustChain,
} from '../../protocols/spdm/requester/certificates.ts';
import { authenticateBasic } from '../../protocols/spdm/requester/mutual.ts';
import { adoptProvisioned } from '../../protocols/spdm/requester/provisioned.ts';
import { hashName } from '../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../protocols/spdm/requester/vca.ts';
import type { CertificateModel } from '../../protocols/x509/policy.ts';
import { provisionedPeer } from './attach-config.ts';
import { peerKeyOf } from './attach-identity.ts';
import type { AttachRun } from './attach-run.ts';

/** `MEAS_CAP=2`; 1 goes without saying. */
export function capabilityNames(flags: number): string[] {
  return (Object.keys(capabilityBits) as CapabilityName[]).flatMap((name) => {
    const value = capability(flags, name);
    return value === 0 ? [] : [value === 1 ? name : `${name}=${value}`];
  });
}

function tellCapabilities(run: AttachRun): void {
  const versions = run.answered(ResponseCodes.VERSION)?.VersionNumberEntry ?? [];
  run.report.versions = versions.map((entry) => versionText(entry >> 8));
  const caps = run.answered(ResponseCodes.CAPABILITIES);
  if (caps === undefined) return;
  run.report.capabilities = {
    names: capabilityNames(caps.Flags),
    flags: caps.Flags,
    ctExponent: caps.CTExponent ?? null,
    dataTransferSize: caps.DataTransferSize ?? null,
    maxSpdmMsgSize: caps.MaxSPDMmsgSize ?? null,
  };
}

/** Agrees on everything; false: there is nothing to go on with. */
export async function agree(run: AttachRun): Promise<boolean> {
  const provisioned = run.connection.has('VER_ONLY');
  const negotiated = await run.step(
    provisioned ? 'version alone' : 'negotiate',
    provisioned
      ? adoptProvisioned(run.state, provisionedPeer(run.options.choices, run.state.config))
      : negotiate(run.state),
    ({ version }) => versionText(version),
  );
  tellCapabilities(run);
  if (negotiated === undefined) return false;
  run.report.version = versionText(negotiated.version);
  run.report.algorithms = {
    hash: negotiated.baseHash ?? 'NONE',
    asym: negotiated.asym ?? null,
    requesterAsym: negotiated.requesterAsym ?? null,
    exchange: negotiated.exchange ?? null,
    aead: negotiated.aead ?? null,
    measurementHash: negotiated.measurementHash ?? null,
    multiKey: negotiated.multiKeyConn,
  };
  return suiteOf(negotiated) !== undefined;
}

/** The public key in place of chains: what --peer-key or the directory has for the algorithm. */
function provisionedKey(run: AttachRun): void {
  const { state, options, judge } = run;
  const { negotiated } = state;
  const signature = negotiated && suiteOf(negotiated)?.signature;
  const name = 'public key';
  if (signature === undefined) return run.absent(name, 'PUB_KEY_ID_CAP');
  const key = peerKeyOf(options.peerKey, options.files, signature);
  if (key === undefined)
    return run.record(name, 'refused', 'PUBLIC_KEY', `no key for ${signature}: name --peer-key`);
  if ('ok' in key) return run.record(name, 'refused', 'PUBLIC_KEY', key.detail);
  state.chains.set(PUBLIC_KEY_SLOT, key.subjectPublicKeyInfo);
  state.leaves.set(PUBLIC_KEY_SLOT, key.key);
  judge.forget();
  const digest = options.crypto.hash(hashName(state), key.subjectPublicKeyInfo);
  run.report.slots = [judge.describe(PUBLIC_KEY_SLOT, digest, true, undefined)];
  run.record(name, 'ok', null, signature);
}

const models: Readonly<Record<number, CertificateModel>> = {
  1: 'device',
  2: 'alias',
  3: 'generic',
};

function modelOf(run: AttachRun, slot: number): CertificateModel {
  const told = run.state.slotFacts?.keys.get(slot)?.certModel ?? 0;
  return models[told] ?? (run.has('ALIAS_CERT_CAP') ? 'alias' : 'device');
}

/** Fetches one slot's chain and judges it. */
async function oneChain(run: AttachRun, slot: number, digest: Uint8Array): Promise<void> {
  const { state, judge } = run;
  const chain = await run.step(
    `certificate ${slot}`,
    getCertificate(state, slot, digest),
    ({ length }) => `${length} bytes`,
  );
  if (chain === undefined) return;
  run.fetched.set(slot, chain);
  judge.model = modelOf(run, slot);
  const leaf = trustChain(state, slot);
  const isGood = !isPeerFault(leaf);
  const name = `chain ${slot}`;
  if (isGood) run.record(name, 'ok', null, leaf.algorithm);
  else run.record(name, slot === run.slot ? 'refused' : 'absent', leaf.code, leaf.detail);
  const keyPairId = state.slotFacts?.keys.get(slot)?.keyPairId;
  run.report.slots = [...run.report.slots, judge.describe(slot, digest, isGood, keyPairId)];
}

/** Every slot's chain, or the key that stands for them. */
export async function identify(run: AttachRun): Promise<void> {
  if (run.slot === PUBLIC_KEY_SLOT) return provisionedKey(run);
  if (!run.connection.has('DIGEST') && !run.connection.has('CERT')) return;
  if (!run.has('CERT_CAP')) return run.absent('digests', 'CERT_CAP');
  const tell = (found: ReadonlyMap<number, Uint8Array>) => `slots ${[...found.keys()]}`;
  const digests = await run.step('digests', getDigests(run.state), tell);
  if (digests === undefined || !run.connection.has('CERT')) return;
  for (const [slot, digest] of digests) await oneChain(run, slot, digest);
  if (digests.size > 0 && !digests.has(run.slot))
    run.record(`chain ${run.slot}`, 'refused', 'SLOT_EMPTY', 'no chain in the chosen slot');
}

/** CHALLENGE, where it is wanted and offered; the summary hash of its answer. */
export async function authenticate(run: AttachRun): Promise<Uint8Array | undefined> {
  if (!run.connection.has('CHAL') || !run.knows(run.slot)) return undefined;
  if (!run.has('CHAL_CAP')) {
    run.absent('challenge', 'CHAL_CAP');
    return undefined;
  }
  const proof = await run.step('challenge', challenge(run.state, run.slot, run.summaryType));
  run.report.authenticated = proof !== undefined;
  if (proof?.basicMutAuth === true) {
    const name = 'basic mutual authentication';
    const taken = await run.step(name, authenticateBasic(run.state));
    run.report.requesterAuthenticated = taken !== undefined;
  }
  return proof?.summary;
}
