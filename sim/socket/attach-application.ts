/**
 * What `attach` does inside a session of a device: IDE_KM and TDISP through their whole course. The TDI is
 * stopped and the keys are taken back at the end.
 */

import { toHex } from '../../protocols/codec/bytes.ts';
import { decode, encode } from '../../protocols/codec/layout.ts';
import { isPeerFault, peerFault, refusalText } from '../../protocols/codec/refusal.ts';
import type { VendorExchange } from '../../protocols/engine.ts';
import {
  goStream,
  keyStream,
  type PortKeys,
  query,
  type SetTarget,
  stopStream,
} from '../../protocols/ide/index.ts';
import { MctpMessageTypes } from '../../protocols/mctp/packet.ts';
import { pldmMessage } from '../../protocols/mctp/pldm.ts';
import { PciSigProtocols } from '../../protocols/spdm/codes.ts';
import { applicationExchange } from '../../protocols/spdm/requester/application.ts';
import type { Exchange, RequesterSession } from '../../protocols/spdm/requester/state.ts';
import { vendor } from '../../protocols/spdm/requester/vendor.ts';
import {
  functionIdText,
  getInterfaceReport,
  getInterfaceState,
  getTdispCapabilities,
  getTdispVersion,
  interfaceReport,
  lockInterface,
  startInterface,
  stopInterface,
} from '../../protocols/tdisp/index.ts';
import type { AttachRun } from './attach-run.ts';

const PORT_INDEX = 0;
const STREAM_ID = 0;
const KEY_BYTES = 32;
const REPORTING_OFFSET = 0xd000_0000n;
const REPORT_PORTION_BYTES = 512;
/** FUNCTION_ID of the DMTF emulators' TDI, where a responder's QUERY_RESP tells none. */
const FUNCTION_ID_DEFAULT = 0xbeef;

const TARGET: SetTarget = { portIndex: PORT_INDEX, streamId: STREAM_ID, keySet: 0 };

class Application {
  readonly #run: AttachRun;
  readonly #session: RequesterSession;

  constructor(run: AttachRun, session: RequesterSession) {
    this.#run = run;
    this.#session = session;
  }

  #vendor<T>(
    protocol: number,
    name: string,
    exchange: VendorExchange<T>,
    tell?: (value: T) => string,
  ): Promise<T | undefined> {
    const carried = vendor(this.#run.state, this.#session, protocol, exchange);
    return this.#run.step(name, carried, tell);
  }
  #ide<T>(name: string, exchange: VendorExchange<T>, tell?: (value: T) => string) {
    return this.#vendor(PciSigProtocols.IDE_KM, `IDE_KM ${name}`, exchange, tell);
  }
  #tdisp<T>(name: string, exchange: VendorExchange<T>, tell?: (value: T) => string) {
    return this.#vendor(PciSigProtocols.TDISP, `TDISP ${name}`, exchange, tell);
  }

  #lastWasAbsent(): boolean {
    return this.#run.steps.at(-1)?.outcome === 'absent';
  }

  /** IDE_KM QUERY and keys, then TDISP over the stream they secure, then all of it back. */
  async whole(): Promise<void> {
    const answer = await this.#ide(
      'QUERY',
      query(PORT_INDEX),
      ({ rid }) => `port ${functionIdText(rid)}`,
    );
    const offered = !this.#lastWasAbsent();
    if (answer !== undefined)
      this.#run.report.ide = {
        maxPortIndex: answer.maxPortIndex,
        port: functionIdText(answer.rid),
        selectiveStreams: answer.registers.selective.length,
      };
    const keyed = offered && (await this.#keys());
    // A port without streams is an empty shell, and its place in the fabric says nothing.
    const rid = answer?.registers.selective.length === 0 ? undefined : answer?.rid;
    await this.#tdi(this.#run.options.functionId ?? rid ?? FUNCTION_ID_DEFAULT, keyed);
    if (keyed) await this.#ide('K_SET_STOP', stopStream(TARGET));
  }

  async #keys(): Promise<boolean> {
    const draw = () => this.#run.options.random(KEY_BYTES);
    const keys: PortKeys = { RX: [draw(), draw(), draw()], TX: [draw(), draw(), draw()] };
    if ((await this.#ide('KEY_PROG', keyStream(TARGET, keys))) === undefined) return false;
    if ((await this.#ide('K_SET_GO RX', goStream(TARGET, 'RX'))) === undefined) return false;
    return (await this.#ide('K_SET_GO TX', goStream(TARGET, 'TX'))) !== undefined;
  }

  async #tdi(functionId: number, keyed: boolean): Promise<void> {
    const versions = await this.#tdisp('GET_TDISP_VERSION', getTdispVersion(functionId));
    if (versions === undefined) return;
    const capabilities = await this.#tdisp(
      'GET_TDISP_CAPABILITIES',
      getTdispCapabilities(functionId),
    );
    const state = await this.#tdisp(
      'GET_DEVICE_INTERFACE_STATE',
      getInterfaceState(functionId),
      (name) => name,
    );
    const found = {
      functionId: functionIdText(functionId),
      versions: versions.map((version) => `${version >> 4}.${version & 15}`),
      requests: [...(capabilities?.requests ?? [])],
      deviceAddressWidth: capabilities?.deviceAddressWidth ?? null,
      state: state ?? null,
      reportBytes: null as number | null,
      mmioRanges: null as number | null,
    };
    this.#run.report.tdisp = found;
    if (!keyed || capabilities === undefined || state !== 'CONFIG_UNLOCKED') return;
    const report = await this.#lockAndStart(functionId, capabilities.lockFlagsSupported);
    if (report === undefined) return;
    found.reportBytes = report.length;
    const decoded = decode(interfaceReport, report);
    if (decoded.ok) found.mmioRanges = decoded.value.MMIO_RANGE.length;
  }

  /** LOCK, report, START, state, STOP. Returns the report. */
  async #lockAndStart(functionId: number, flags: number): Promise<Uint8Array | undefined> {
    const nonce = await this.#tdisp(
      'LOCK_INTERFACE',
      lockInterface(functionId, {
        flags,
        defaultStreamId: STREAM_ID,
        mmioReportingOffset: REPORTING_OFFSET,
        bindP2pAddressMask: 0n,
      }),
      (bytes) => `nonce ${toHex(bytes.subarray(0, 4))}...`,
    );
    if (nonce === undefined) return undefined;
    const report = await this.#tdisp(
      'GET_DEVICE_INTERFACE_REPORT',
      getInterfaceReport(functionId, { portionBytes: REPORT_PORTION_BYTES }),
      ({ length }) => `${length} bytes`,
    );
    await this.#tdisp('START_INTERFACE', startInterface(functionId, nonce));
    await this.#tdisp('state after START', getInterfaceState(functionId), (name) => name);
    await this.#tdisp('STOP_INTERFACE', stopInterface(functionId));
    return report;
  }
}

/** Requests, of the type for messaging control and discovery. */
const REQUEST = 0x80;
const CONTROL = 0;
const GET_TID = 2;

/** PLDM GetTID (DSP0240): the terminus a device is known by. */
function* getTid(run: AttachRun, session: RequesterSession): Exchange<number> {
  const { PLDM } = MctpMessageTypes;
  const request = encode(pldmMessage, {
    InstanceID: REQUEST,
    PLDMType: CONTROL,
    PLDMCommandCode: GET_TID,
    Payload: new Uint8Array(0),
  });
  const answer = yield* applicationExchange(run.state, session, PLDM, request);
  if (isPeerFault(answer)) return answer;
  const decoded = decode(pldmMessage, answer);
  if (!decoded.ok) return peerFault('PLDM_ANSWER', refusalText(decoded));
  const { PLDMType, PLDMCommandCode, PLDMCompletionCode, Payload } = decoded.value;
  const [tid] = Payload;
  if (PLDMType !== CONTROL || PLDMCommandCode !== GET_TID || tid === undefined)
    return peerFault('PLDM_ANSWER', `command ${PLDMCommandCode} of type ${PLDMType}`);
  return PLDMCompletionCode === 0
    ? tid
    : peerFault('PLDM_ANSWER', `completion code ${PLDMCompletionCode}`);
}

/**
 * IDE_KM and TDISP in one session. Over MCTP a session speaks for whatever the device has besides, and the
 * emulators ask for its PLDM terminus; IDE_KM and TDISP then if a TDI was named.
 */
export async function application(run: AttachRun, session: RequesterSession): Promise<void> {
  const isMctp = run.options.transport.name === 'MCTP';
  if (isMctp && run.options.functionId === undefined) {
    await run.step('PLDM GetTID', getTid(run, session), (tid) => `terminus ${tid}`);
    return;
  }
  await new Application(run, session).whole();
}
