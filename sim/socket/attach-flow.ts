/**
 * What `attach` does with a responder: negotiate, fetch and judge certificate chains, CHALLENGE,
 * measurements and what else it tells, then sessions with IDE_KM and TDISP. Each step that fails is
 * recorded and the next ones that still make sense are done; only a broken connection ends the whole.
 */

import { objectTypeName } from '../../protocols/doe/object.ts';
import { agree, authenticate, identify } from './attach-connection.ts';
import { endpointInfo, keyPairs, measure, measurementLog } from './attach-information.ts';
import { certificateRequest, keepKeyPair, storeCertificate } from './attach-provisioning.ts';
import type { AttachReport } from './attach-report.ts';
import { AttachRun, judgeSummary } from './attach-run.ts';
import { attachSessions } from './attach-session.ts';
import type { AttachLink, AttachOptions } from './engines.ts';
import { supportedAlgorithms } from './supported.ts';

/** The whole of an attach. @throws EngineRefusal on choices this requester cannot be built with */
export function attachFlow(options: AttachOptions): (link: AttachLink) => Promise<AttachReport> {
  // Refused before anybody connects.
  supportedAlgorithms(options.crypto, options.choices);
  return async (link) => {
    const run = new AttachRun(options, link);
    const types = await link.discover();
    run.report.dataObjects = types?.map(objectTypeName) ?? null;
    if (!(await agree(run))) return run.report;
    await identify(run);
    const summary = await authenticate(run);
    if (run.connection.has('MEAS')) await measure(run);
    judgeSummary(run, 'summary of CHALLENGE_AUTH', summary);
    if (run.connection.has('MEL')) await measurementLog(run);
    if (run.connection.has('EP_INFO')) await endpointInfo(run);
    if (run.connection.has('GET_KEY_PAIR_INFO')) await keyPairs(run);
    await attachSessions(run);
    await provision(run);
    return run.report;
  };
}

/** Changes to the responder come last: what was found out before was of the device as it came. */
async function provision(run: AttachRun): Promise<void> {
  if (run.connection.has('GET_CSR')) await certificateRequest(run);
  if (run.connection.has('SET_CERT')) await storeCertificate(run, 0);
  if (run.connection.has('SET_KEY_PAIR_INFO')) await keepKeyPair(run);
}
