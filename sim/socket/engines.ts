/**
 * The seam between the outside world and the SPDM engines: what `serve` and `attach` may choose, as plain
 * data, and what they get back. Verbs, sockets and option parsing know these types only; which engine
 * configuration stands behind them is the implementations' business.
 */

import type { PeerFault } from '../../protocols/codec/refusal.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import type { DoeObjectType } from '../../protocols/doe/object.ts';
import type { CapabilityName } from '../../protocols/spdm/codes.ts';
import type { KeyLogEntry } from '../../protocols/spdm/party.ts';
import type { Exchange } from '../../protocols/spdm/requester/state.ts';
import type { SigningKey } from '../../protocols/x509/pkcs8.ts';
import type { AttachReport } from './attach-report.ts';
import type { Connection, Trigger } from './server.ts';
import type { SocketTransport, SocketTransportName } from './transport.ts';

export type Capabilities = Readonly<Partial<Record<CapabilityName, number>>>;
export type KeyUpdateChoice = 'REQ' | 'RSP' | 'ALL';

/**
 * What SPDM options chose; a key that is absent was left to the engine's default. Masks are those of the
 * bit tables of `protocols/spdm/algorithms.ts`, as NEGOTIATE_ALGORITHMS carries them.
 */
export interface SpdmChoices {
  readonly transport?: SocketTransportName;
  /** SPDMVersion bytes, ascending */
  readonly versions?: readonly number[];
  /** DSP0277 versions as 16 bits: 0x1100 for 1.1; ascending */
  readonly securedVersions?: readonly number[];
  readonly capabilities?: Capabilities;
  /** the peer's, where VER_ONLY leaves them out of the exchange */
  readonly peerCapabilities?: Capabilities;
  readonly baseHash?: number;
  readonly measurementSpecification?: number;
  readonly measurementHash?: number;
  readonly melSpecification?: number;
  readonly baseAsym?: number;
  readonly reqBaseAsym?: number;
  readonly pqcAsym?: number;
  readonly reqPqcAsym?: number;
  readonly dhe?: number;
  readonly kem?: number;
  readonly aead?: number;
  readonly keySchedule?: number;
  readonly otherParams?: number;
  readonly pqcFirst?: boolean;
  /** BasicMutAuthReq of CHALLENGE_AUTH */
  readonly basicMutAuth?: number;
  /** MutAuthRequested of KEY_EXCHANGE_RSP */
  readonly mutAuth?: number;
  /** MeasurementSummaryHashType: 0, 1 or 0xff */
  readonly measurementSummary?: number;
  readonly measurementOperation?: 'ONE_BY_ONE' | 'ALL';
  readonly measurementAttribute?: 'HASH' | 'RAW';
  readonly keyUpdate?: KeyUpdateChoice;
  /** 0 to 7, or 0xff for a chain provisioned beforehand */
  readonly slotId?: number;
  readonly reqSlotId?: number;
  /** 1 to 8 */
  readonly slotCount?: number;
  readonly exeMode?: 'SHUTDOWN' | 'CONTINUE';
  readonly exeConnection?: readonly string[];
  readonly exeSession?: readonly string[];
  readonly dataTransferSize?: number;
  readonly maxSpdmMsgSize?: number;
  readonly ctExponent?: number;
}

/** What both roles need besides. */
export interface EngineContext {
  readonly crypto: CryptoProvider;
  /** nonces, session keys: the system's, or seeded where a run must repeat */
  readonly random: (size: number) => Uint8Array;
  readonly transport: SocketTransport;
  readonly choices: SpdmChoices;
  /** is told each session's secret, for capture tools */
  readonly keyLog?: (entry: KeyLogEntry) => void;
}

/** Who the served device is; the rest comes from its profile file. */
export interface DeviceFacts {
  readonly manufacturer: string;
  readonly product: string;
  readonly serial: string;
  readonly measured: readonly {
    readonly index: number;
    /** a `MeasurementTypes` code */
    readonly type: number;
    readonly raw: boolean;
    readonly content: Uint8Array;
    readonly tcb: boolean;
  }[];
  readonly ctExponent: number;
  readonly dataTransferSize: number;
  /** seconds; 0: none */
  readonly heartbeatPeriod: number;
  readonly selectiveStreams: number;
  readonly addressWidth: number;
  /** bytes of interface report in one answer */
  readonly reportPortion: number;
}

/** A slot whose chain and key were brought along. */
export interface ProvisionedSlot {
  readonly slot: number;
  /** in DER, root first */
  readonly certificates: readonly Uint8Array[];
  /** of the last certificate, under its natural name */
  readonly key: SigningKey;
}

/** What is known of requesters beforehand. */
export interface KnownRequester {
  /** trusted roots in DER; empty: any self-signed root passes, with a warning */
  readonly roots: readonly Uint8Array[];
  /** chains that need not be asked for, each its certificates in DER, root first */
  readonly chains: readonly (readonly Uint8Array[])[];
  /** keys of requesters without certificates: SubjectPublicKeyInfo in DER */
  readonly publicKeys: readonly Uint8Array[];
}

export interface PresharedKey {
  readonly hint: Uint8Array;
  readonly key: Uint8Array;
}

export interface ResponderOptions extends EngineContext {
  readonly device: DeviceFacts;
  /** the same seed gives the same keys and certificates */
  readonly identitySeed: string | number;
  /** a directory in the emulators' layout, whose chains and keys take the place of drawn ones */
  readonly files?: FileReader;
  /** default: nothing is known */
  readonly requester?: KnownRequester;
  /** besides the emulators' own one */
  readonly psks?: readonly PresharedKey[];
  /** real milliseconds that a signature takes: ResponseNotReady comes first; default 0, none */
  readonly serviceTimeMs?: number;
  /** plays the DMTF sample where it acknowledges what it does not do; default: does it, or refuses */
  readonly quirk?: 'spdm-emu';
  /** seconds since 1970: when certificates must be valid; default: whenever */
  readonly now?: () => number;
  /** FUNCTION_ID of the one TDI: bus 15:8, device 7:3, function 2:0 */
  readonly functionId: number;
  /** largest DataTransferSize to announce to this peer */
  readonly dataTransferSizeMax: number;
  /** most bytes of one message on the way to it, whatever it says; undefined: no limit of the way */
  readonly transmitSize?: number;
  /** what happens, a line each */
  readonly note?: (event: string, detail: string) => void;
}

/** One device that any number of connections may talk to, each for itself. */
export interface ResponderEngine {
  readonly connect: () => Connection;
  /** of the chain in the lowest slot, in DER; of the algorithm negotiated by default */
  readonly rootCertificate: Uint8Array;
  /** SubjectPublicKeyInfo of the key in slot 0xFF, in DER */
  readonly publicKey: Uint8Array;
  /** `Manufacturer:Product:Serial` */
  readonly deviceInfo: string;
  /** options a requester emulator must be given to find common ground */
  readonly requesterArguments: readonly string[];
}

/** Undefined: no such file. */
export type FileReader = (path: string) => Uint8Array | undefined;

export interface AttachOptions extends EngineContext {
  /** trusted roots in DER; empty: any self-signed root passes, and its fingerprint is told */
  readonly roots: readonly Uint8Array[];
  /** seconds since 1970: when certificates must be valid */
  readonly now: number;
  /** files by `folder/name` of a directory laid out as the emulators', for keys and certificates */
  readonly files?: FileReader;
  /** draws the requester's own chain where `files` has none; default 1 */
  readonly identitySeed?: string | number;
  /** keys for PSK_EXCHANGE, a session each; default: the emulators' test key */
  readonly psks?: readonly PresharedKey[];
  /** SubjectPublicKeyInfo of the responder in DER, for slot 0xFF */
  readonly peerKey?: Uint8Array;
  /** FUNCTION_ID of the TDI; undefined: the port's that QUERY_RESP names */
  readonly functionId?: number;
  /** milliseconds since whenever, for HEARTBEAT in time; default: the monotonic clock */
  readonly clock?: () => number;
  /** one line about each step as it is done */
  readonly note?: (step: string, outcome: string) => void;
}

/** The way to the responder. */
export interface AttachLink {
  drive<T>(exchange: Exchange<T>): Promise<T | PeerFault>;
  /** asks the responder, outside SPDM, to raise an encapsulated request; false: it does not do that */
  prompt(what: Trigger, sessionId: number | undefined): Promise<boolean>;
  /** what DOE Discovery lists; undefined where the transport has none */
  discover(): Promise<readonly DoeObjectType[] | undefined>;
}

export interface Engines {
  /** @throws EngineRefusal on choices this device cannot be built with */
  readonly makeResponder: (options: ResponderOptions) => ResponderEngine;
  /** @throws EngineRefusal on choices this requester cannot be built with */
  readonly attachFlow: (options: AttachOptions) => (link: AttachLink) => Promise<AttachReport>;
}

/** Choices that are legal each for itself, and that these engines cannot be built with: the user's to change. */
export class EngineRefusal extends Error {
  override readonly name = 'EngineRefusal';
}
