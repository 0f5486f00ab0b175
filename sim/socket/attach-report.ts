/** What `attach` found out about a responder, as plain data: the document of `attach --json`. */

/** What became of one step. `absent`: the responder does not offer it, which is no fault. */
export type StepOutcome = 'ok' | 'refused' | 'absent';

export interface AttachStep {
  readonly name: string;
  readonly outcome: StepOutcome;
  /** stable name of the fault; null where there is none */
  readonly code: string | null;
  readonly detail: string;
}

export interface AttachSlot {
  /** 255: the public key known beforehand, without certificates */
  readonly slot: number;
  /** hexadecimal */
  readonly digest: string;
  readonly certificates: readonly {
    readonly subject: string;
    readonly issuer: string;
    /** hexadecimal */
    readonly serial: string;
  }[];
  /** `Manufacturer:Product:Serial` of the leaf */
  readonly device: string | null;
  /** of the root, hexadecimal */
  readonly rootSha256: string | null;
  /** of a connection with keys by slot (1.3) */
  readonly keyPairId: number | null;
  /** the chain leads to a trusted root, or to its own where none was named */
  readonly trusted: boolean;
}

export interface AttachMeasurement {
  readonly index: number;
  readonly type: string;
  readonly raw: boolean;
  /** hexadecimal */
  readonly value: string;
}

export interface AttachLogEntry {
  readonly index: number;
  /** of the measurement it went into */
  readonly measurement: number;
  readonly type: string;
  readonly raw: boolean;
  /** hexadecimal */
  readonly value: string;
}

export interface AttachDeviceClass {
  /** standards body */
  readonly registry: string;
  /** hexadecimal */
  readonly vendorId: string;
  /** hexadecimal */
  readonly subordinates: readonly string[];
}

export interface AttachKeyPair {
  readonly id: number;
  readonly capabilities: readonly string[];
  readonly usage: readonly string[];
  /** as it stands */
  readonly algorithms: readonly string[];
  /** that it could be set to */
  readonly algorithmChoices: readonly string[];
  readonly slots: readonly number[];
}

export interface AttachSession {
  /** how its secret came about */
  readonly kind: 'DHE' | 'KEM' | 'PSK';
  readonly id: number;
  /** of the responder; null for PSK */
  readonly slot: number | null;
  /** seconds */
  readonly heartbeatPeriod: number;
  /** the responder asked who the requester is, and took the answer */
  readonly mutual: boolean;
}

export interface AttachReport {
  readonly transport: string;
  /** what DOE Discovery lists */
  readonly dataObjects: readonly string[] | null;
  readonly versions: readonly string[];
  /** negotiated */
  readonly version: string | null;
  readonly capabilities: {
    /** as `MEAS_CAP=2`; `=1` left out */
    readonly names: readonly string[];
    readonly flags: number;
    readonly ctExponent: number | null;
    readonly dataTransferSize: number | null;
    readonly maxSpdmMsgSize: number | null;
  } | null;
  readonly algorithms: {
    readonly hash: string;
    readonly asym: string | null;
    /** what the requester signs with */
    readonly requesterAsym: string | null;
    /** DHE group or KEM */
    readonly exchange: string | null;
    readonly aead: string | null;
    readonly measurementHash: string | null;
    /** slots have keys of their own (1.3) */
    readonly multiKey: boolean;
  } | null;
  readonly slots: readonly AttachSlot[];
  /** roots were named, so that `trusted` says more than "consistent" */
  readonly pinned: boolean;
  /** CHALLENGE was answered with a good signature */
  readonly authenticated: boolean;
  /** the same of the requester, after CHALLENGE or in a session */
  readonly requesterAuthenticated: boolean;
  readonly measurements: readonly AttachMeasurement[];
  readonly measurementsSigned: boolean;
  readonly measurementLog: readonly AttachLogEntry[] | null;
  readonly endpoint: readonly AttachDeviceClass[] | null;
  readonly keyPairs: readonly AttachKeyPair[];
  /** hexadecimal; of GET_CSR */
  readonly certificateRequest: string | null;
  readonly sessions: readonly AttachSession[];
  readonly ide: {
    readonly maxPortIndex: number;
    /** as `00:01.0` */
    readonly port: string;
    readonly selectiveStreams: number;
  } | null;
  readonly tdisp: {
    readonly functionId: string;
    readonly versions: readonly string[];
    readonly requests: readonly string[];
    readonly deviceAddressWidth: number | null;
    /** state before anything was asked of the TDI */
    readonly state: string | null;
    readonly reportBytes: number | null;
    readonly mmioRanges: number | null;
  } | null;
  /** in the order done */
  readonly steps: readonly AttachStep[];
}

export const emptyReport = (transport: string, pinned: boolean): AttachReport => ({
  transport,
  dataObjects: null,
  versions: [],
  version: null,
  capabilities: null,
  algorithms: null,
  slots: [],
  pinned,
  authenticated: false,
  requesterAuthenticated: false,
  measurements: [],
  measurementsSigned: false,
  measurementLog: null,
  endpoint: null,
  keyPairs: [],
  certificateRequest: null,
  sessions: [],
  ide: null,
  tdisp: null,
  steps: [],
});

/** Steps that went wrong: what exit code 1 stands for. */
export const findingsOf = (report: AttachReport): readonly AttachStep[] =>
  report.steps.filter(({ outcome }) => outcome === 'refused');
