/**
 * What `attach` asks of a responder in a session and outside alike: measurements and their log, the
 * classes of the device and its key pairs.
 */

import { toHex } from '../../protocols/codec/bytes.ts';
import { isPeerFault, peerFault } from '../../protocols/codec/refusal.ts';
import { pqcAsymBits } from '../../protocols/spdm/algorithms.ts';
import {
  capability,
  measurementTypeNames,
  registryNames,
  SpdmVersions,
} from '../../protocols/spdm/codes.ts';
import type { MeasurementBlockValue } from '../../protocols/spdm/measurements.ts';
import { keyUsageBits } from '../../protocols/spdm/messages/auth.ts';
import { keyPairAsymBits, keyPairCapabilityBits } from '../../protocols/spdm/messages/key-pairs.ts';
import {
  getMeasurements,
  type Measurements,
  type MeasurementsRequest,
} from '../../protocols/spdm/requester/auth.ts';
import { getEndpointInfo } from '../../protocols/spdm/requester/endpoint-info.ts';
import {
  extensionLogFault,
  getMeasurementExtensionLog,
} from '../../protocols/spdm/requester/extension-log.ts';
import { getKeyPairInfo, type KeyPairInfo } from '../../protocols/spdm/requester/provisioning.ts';
import type {
  Exchange,
  RequesterSession,
  RequesterState,
} from '../../protocols/spdm/requester/state.ts';
import { prompted } from './attach-encapsulated.ts';
import type { AttachKeyPair, AttachMeasurement } from './attach-report.ts';
import { type AttachRun, within } from './attach-run.ts';
import { namesOf } from './supported.ts';

const MEASUREMENTS_ALL = 0xff;
const COUNT = 0;
const INDEX_MAX = 0xfe;
const RAW_BIT = 0x80;
const TYPE_MASK = 0x7f;
const SIGNED = 2;

type Session = RequesterSession | undefined;

/** Type and form of a DMTF value. */
export function valueTypeOf(valueType: number): { type: string; raw: boolean } {
  const code = valueType & TYPE_MASK;
  return { type: measurementTypeNames[code] ?? `type ${code}`, raw: (valueType & RAW_BIT) !== 0 };
}

function measurementOf({ Index, ValueType, Value }: MeasurementBlockValue): AttachMeasurement {
  const { type, raw } =
    ValueType === undefined ? { type: 'not DMTF', raw: false } : valueTypeOf(ValueType);
  return { index: Index, type, raw, value: toHex(Value) };
}

const isRefusal = (code: string): boolean => code.startsWith('SPDM_ERROR_');
/** The responder's DecryptError, say, told that the session is gone: nothing more is asked in it. */
const isOver = (state: RequesterState, session: Session): boolean =>
  session !== undefined && !state.sessions.has(session.id);

/**
 * Each index for itself. Which there are is found out first, since a refused index starts L1/L2 anew;
 * the last one that is there then carries the signature over all.
 */
function* oneByOne(
  run: AttachRun,
  session: Session,
  asked: MeasurementsRequest,
): Exchange<Measurements> {
  const { state } = run;
  const unsigned = { ...asked, signed: false };
  const total = yield* getMeasurements(state, session, { ...unsigned, operation: COUNT });
  if (isPeerFault(total)) return total;
  const indices: number[] = [];
  for (let index = 1; index <= INDEX_MAX && indices.length < total.count; index++) {
    const alive = yield* run.heartbeats.due(session);
    if (isPeerFault(alive)) return alive;
    const found = yield* getMeasurements(state, session, { ...unsigned, operation: index });
    if (!isPeerFault(found)) indices.push(index);
    else if (!isRefusal(found.code) || isOver(state, session)) return found;
  }
  if (indices.length < total.count)
    return peerFault('MEASUREMENTS_COUNT', `${indices.length} of ${total.count} are there`);
  const blocks: MeasurementBlockValue[] = [];
  let last = total;
  for (const index of indices) {
    const signed = asked.signed && index === indices.at(-1);
    const found = yield* getMeasurements(state, session, { ...asked, operation: index, signed });
    if (isPeerFault(found)) return found;
    blocks.push(...found.blocks);
    last = found;
  }
  return { ...last, blocks, count: blocks.length };
}

/** GET_MEASUREMENTS as it was chosen, signed where a key to check it with is known. */
export async function measure(run: AttachRun, session?: RequesterSession): Promise<void> {
  const { state, slot } = run;
  const { measurementOperation, measurementAttribute } = run.options.choices;
  if (!run.has('MEAS_CAP')) return run.absent(within('measurements', session), 'MEAS_CAP');
  const signed = run.knows(slot) && capability(state.responderFlags, 'MEAS_CAP') === SIGNED;
  const raw = measurementAttribute === 'RAW';
  const asked = { slot, operation: MEASUREMENTS_ALL, signed, raw };
  const found = await run.step(
    within(`measurements, ${signed ? 'signed' : 'unsigned'}`, session),
    measurementOperation === 'ONE_BY_ONE'
      ? oneByOne(run, session, asked)
      : getMeasurements(state, session, asked),
    ({ count }) => `${count} blocks`,
  );
  if (found === undefined) return;
  // What came first stands: a session's answers are told only where there were none outside.
  if (run.report.measurements.length > 0) return;
  run.blocks = found.blocks;
  run.report.measurements = found.blocks.map(measurementOf);
  run.report.measurementsSigned = signed;
}

/** The log of measurements, replayed against those that were reported. */
export async function measurementLog(run: AttachRun, session?: RequesterSession): Promise<void> {
  const name = within('measurement log', session);
  if (!run.offers(name, 'MEL_CAP', SpdmVersions.V1_3)) return;
  const { state } = run;
  const entries = await run.step(
    name,
    getMeasurementExtensionLog(state, session),
    ({ length }) => `${length} entries`,
  );
  if (entries === undefined || run.report.measurementLog !== null) return;
  run.report.measurementLog = entries.map(({ melIndex, measIndex, valueType, value }) => ({
    index: melIndex,
    measurement: measIndex,
    ...valueTypeOf(valueType),
    value: toHex(value),
  }));
  if (run.blocks.length === 0) return;
  const fault = extensionLogFault(state, entries, run.blocks);
  if (fault === undefined) run.record('measurement log replayed', 'ok', null, '');
  else run.record('measurement log replayed', 'refused', fault.code, fault.detail);
}

/** The classes a device belongs to, signed where it can and its key is known. */
export async function endpointInfo(run: AttachRun, session?: RequesterSession): Promise<void> {
  const { state, slot } = run;
  const signed = run.knows(slot) && capability(state.responderFlags, 'EP_INFO_CAP') === SIGNED;
  const name = within(`endpoint info, ${signed ? 'signed' : 'unsigned'}`, session);
  if (!run.offers(name, 'EP_INFO_CAP', SpdmVersions.V1_3)) return;
  const asked = signed ? { slot } : {};
  const classes = await run.step(
    name,
    getEndpointInfo(state, session, asked),
    ({ length }) => `${length} classes`,
  );
  if (classes !== undefined)
    run.report.endpoint = classes.map(({ ID, VendorID, SubordinateID }) => ({
      registry: registryNames[ID] ?? `registry ${ID}`,
      vendorId: toHex(VendorID),
      subordinates: SubordinateID.map(({ SubIdentifier }) => toHex(SubIdentifier)),
    }));
  // Only who names the steps as the emulators do has a responder that knows their command for it.
  const explicit = run.options.choices[session === undefined ? 'exeConnection' : 'exeSession'];
  if (explicit !== undefined && run.shared('ENCAP_CAP'))
    await prompted(run, 'ENDPOINT_INFO', session);
}

const KEY_PAIRS_MAX = 255;

const algorithmNames = (asym: number, pqc: number): string[] => [
  ...namesOf(keyPairAsymBits, asym),
  ...namesOf(pqcAsymBits, pqc),
];

const slotsOf = (mask: number): number[] =>
  [0, 1, 2, 3, 4, 5, 6, 7].filter((slot) => ((mask >> slot) & 1) === 1);

function keyPairOf(info: KeyPairInfo): AttachKeyPair {
  return {
    id: info.keyPairId,
    capabilities: namesOf(keyPairCapabilityBits, info.capabilities),
    usage: namesOf(keyUsageBits, info.usage),
    algorithms: algorithmNames(info.asym, info.pqc),
    algorithmChoices: algorithmNames(info.asymCapabilities, info.pqcCapabilities),
    slots: slotsOf(info.slots),
  };
}

/** Each key pair in turn; the first answer tells how many there are. */
function* everyKeyPair(run: AttachRun, session: Session): Exchange<readonly KeyPairInfo[]> {
  const found: KeyPairInfo[] = [];
  let total = 1;
  for (let id = 1; id <= Math.min(total, KEY_PAIRS_MAX); id++) {
    const info = yield* getKeyPairInfo(run.state, session, id);
    if (isPeerFault(info)) return info;
    total = info.total;
    found.push(info);
  }
  return found;
}

/** Every key pair of the device. */
export async function keyPairs(run: AttachRun, session?: RequesterSession): Promise<void> {
  const name = within('key pairs', session);
  if (!run.offers(name, 'GET_KEY_PAIR_INFO_CAP', SpdmVersions.V1_3)) return;
  const found = await run.step(name, everyKeyPair(run, session), ({ length }) => `${length}`);
  if (found !== undefined) run.report.keyPairs = found.map(keyPairOf);
}
