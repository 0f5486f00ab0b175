/** From a profile and the options of a command line to what an SPDM responder is built from. */

import { ascii, concat, le, toHex } from '../../protocols/codec/bytes.ts';
import type { Bits } from '../../protocols/codec/field.ts';
import { isPeerFault } from '../../protocols/codec/refusal.ts';
import type { SignatureName } from '../../protocols/crypto/algorithms.ts';
import { baseAsymBits, maskOf, nameOfBit, pqcAsymBits } from '../../protocols/spdm/algorithms.ts';
import {
  type CapabilityName,
  capability,
  capabilityFlags,
  PCI_SIG_VENDOR_ID,
  RegistryIds,
  SpdmVersions,
} from '../../protocols/spdm/codes.ts';
import { dmtfEvents } from '../../protocols/spdm/events.ts';
import { DmtfEventTypes } from '../../protocols/spdm/messages/events.ts';
import type { SupportedAlgorithms } from '../../protocols/spdm/party.ts';
import { preferred } from '../../protocols/spdm/preference.ts';
import { agreedBeforehand } from '../../protocols/spdm/responder/beforehand.ts';
import type { Deferral } from '../../protocols/spdm/responder/deferred.ts';
import type { MutualAuthentication } from '../../protocols/spdm/responder/mutual.ts';
import type { Provisioning } from '../../protocols/spdm/responder/provisioning.ts';
import type { ResponderConfig } from '../../protocols/spdm/responder/state.ts';
import { hasChain, slotsOf } from './cert-files.ts';
import {
  type Capabilities,
  EngineRefusal,
  type PresharedKey,
  type ResponderOptions,
} from './engines.ts';
import { ServedIdentity } from './served-identity.ts';
import {
  namesOf,
  requesterCapabilities,
  spokenSecuredVersions,
  supportedAlgorithms,
  versionsChosen,
} from './supported.ts';

/** As spdm_responder_emu has them. */
const CAPABILITIES_DEFAULT: Capabilities = {
  CACHE_CAP: 1,
  CERT_CAP: 1,
  CHAL_CAP: 1,
  MEAS_CAP: 2,
  MEAS_FRESH_CAP: 1,
  ENCRYPT_CAP: 1,
  MAC_CAP: 1,
  MUT_AUTH_CAP: 1,
  KEY_EX_CAP: 1,
  PSK_CAP: 2,
  ENCAP_CAP: 1,
  HBEAT_CAP: 1,
  KEY_UPD_CAP: 1,
  HANDSHAKE_IN_THE_CLEAR_CAP: 1,
  CHUNK_CAP: 1,
  SET_CERT_CAP: 1,
  CSR_CAP: 1,
  EP_INFO_CAP: 2,
  MEL_CAP: 1,
  MULTI_KEY_CAP: 2,
  GET_KEY_PAIR_INFO_CAP: 1,
  SET_KEY_PAIR_INFO_CAP: 1,
  LARGE_RESP_CAP: 1,
};

const SESSIONS_MAX = 4;
const MAX_SPDM_MSG_SIZE = 0x20000;
const MUT_AUTH_DEFAULT = 2;
const PUBLIC_KEY_SLOT = 0xff;
const sessionForms: Readonly<Record<number, NonNullable<MutualAuthentication['session']>>> = {
  0: 'none',
  1: 'requested',
  2: 'encapsulated',
  4: 'digests',
};

/** The emulators' key: hint and key are C strings, their NUL included. */
const PSK_DEFAULT: PresharedKey = {
  hint: concat(ascii('TestPskHint'), Uint8Array.of(0)),
  key: concat(ascii('TestPskData'), Uint8Array.of(0)),
};

function pskOf(psks: readonly PresharedKey[]): NonNullable<ResponderConfig['psk']> {
  const table = new Map([PSK_DEFAULT, ...psks].map(({ hint, key }) => [toHex(hint), key]));
  return (hint) => table.get(toHex(hint));
}

/** A retry comes within four times the time that was named. */
const RDTM = 4;
const US_PER_MS = 1000;

/** Signatures take real time: who asks for one comes back for it. */
function readinessOf(serviceTimeMs: number): ResponderConfig['readiness'] {
  if (serviceTimeMs === 0) return undefined;
  return (_code, work): Deferral | undefined => {
    const signatures = work.filter(({ op }) => op === 'sign').length;
    if (signatures === 0) return undefined;
    const us = signatures * serviceTimeMs * US_PER_MS;
    return { rdtExponent: Math.ceil(Math.log2(us)), rdtm: RDTM };
  };
}

function algorithmsOf(options: ResponderOptions): SupportedAlgorithms {
  const supported = supportedAlgorithms(options.crypto, options.choices);
  const { files } = options;
  if (files === undefined) return supported;
  // Who brought keys signs with those alone.
  const only = (table: Bits, mask: number): number =>
    maskOf(table, ...namesOf(table, mask).filter((name) => hasChain(files, name as SignatureName)));
  const baseAsym = only(baseAsymBits, supported.baseAsym);
  const pqcAsym = only(pqcAsymBits, supported.pqcAsym ?? 0);
  if (baseAsym + pqcAsym === 0)
    throw new EngineRefusal('--cert-dir: it has no chain for an algorithm that was chosen');
  return { ...supported, baseAsym, pqcAsym };
}

/** All of a responder's configuration but what belongs to one connection. */
export type DeviceConfig = Omit<
  ResponderConfig,
  'vendor' | 'measure' | 'trust' | 'provisioning' | 'peerChain' | 'peerPublicKey'
>;

export interface Built {
  readonly config: DeviceConfig;
  readonly identity: ServedIdentity;
  readonly provisioning: Omit<Provisioning, 'store'>;
  /** what a requester that offers the usual algorithms is given */
  readonly preferred: SignatureName;
}

function identityOf(options: ResponderOptions, flags: number): ServedIdentity {
  const { crypto, device, identitySeed, files, choices } = options;
  const { manufacturer, product, serial } = device;
  const has = (name: CapabilityName) => capability(flags, name) !== 0;
  const newest = versionsChosen(choices).at(-1) ?? 0;
  return new ServedIdentity({
    crypto,
    seed: identitySeed,
    deviceInfo: `${manufacturer}:${product}:${serial}`,
    multiKey: has('MULTI_KEY_CAP') && newest >= SpdmVersions.V1_3,
    alias: has('ALIAS_CERT_CAP'),
    ...(files === undefined
      ? {}
      : { provisioned: (signature: SignatureName) => slotsOf(crypto, files, signature) }),
    ...(choices.slotCount === undefined ? {} : { sharedSlots: choices.slotCount }),
  });
}

function mutualOf({ choices }: ResponderOptions): MutualAuthentication {
  const { mutAuth = MUT_AUTH_DEFAULT, basicMutAuth = 1, reqSlotId } = choices;
  return {
    basic: basicMutAuth === 1,
    session: sessionForms[mutAuth] ?? 'none',
    ...(reqSlotId === undefined || reqSlotId === PUBLIC_KEY_SLOT ? {} : { slot: reqSlotId }),
  };
}

function sizesOf(options: ResponderOptions, flags: number) {
  const { choices, device, dataTransferSizeMax, transmitSize } = options;
  const asked = choices.dataTransferSize ?? device.dataTransferSize;
  const dataTransferSize = Math.min(asked, dataTransferSizeMax);
  // Without chunks a message is no longer than one transfer.
  const chunks = capability(flags, 'CHUNK_CAP') === 1;
  const largest = chunks ? (choices.maxSpdmMsgSize ?? MAX_SPDM_MSG_SIZE) : dataTransferSize;
  return {
    ctExponent: choices.ctExponent ?? device.ctExponent,
    dataTransferSize,
    maxSpdmMsgSize: Math.max(dataTransferSize, largest),
    ...(transmitSize === undefined ? {} : { transmitSize }),
  };
}

function provisioningOf({ device, now, quirk }: ResponderOptions): Omit<Provisioning, 'store'> {
  const { manufacturer, product, serial } = device;
  return {
    csr: {
      subject: [
        ['O', manufacturer],
        ['CN', `${product} ${serial}`],
      ],
    },
    ...(now === undefined ? {} : { now }),
    // A device on a desk: whoever reaches it may provision it.
    trustedEnvironment: () => true,
    pretends: quirk === 'spdm-emu',
  };
}

/** What a requester that offers everything is answered with. */
function preferredOf({ baseAsym, pqcAsym = 0, pqcFirst }: SupportedAlgorithms): SignatureName {
  const classic = nameOfBit(baseAsymBits, preferred('asym', baseAsym));
  const pqc = nameOfBit(pqcAsymBits, preferred('pqcAsym', pqcAsym));
  const first = pqcFirst === true ? (pqc ?? classic) : (classic ?? pqc);
  if (first === undefined)
    throw new EngineRefusal('--asym NONE with --pqc_asym NONE: choose an algorithm of either');
  return first as SignatureName;
}

/** PCI base class: processing accelerators. */
const BASE_CLASS = 0x12;
/**
 * What the device is in the eyes of GET_ENDPOINT_INFO: a PCIe device of its base class. That is a whole
 * number of DWs: the DMTF requester emulator takes no answer that DOE has to pad.
 */
const deviceClasses = [
  {
    ID: RegistryIds.PCI_SIG,
    VendorID: le(PCI_SIG_VENDOR_ID, 2),
    SubordinateID: [{ SubIdentifier: Uint8Array.of(BASE_CLASS) }],
  },
];

/** VER_ONLY: nothing is negotiated, since both ends were told of each other. @throws EngineRefusal */
function beforehandOf({ choices }: ResponderOptions, config: DeviceConfig): Partial<DeviceConfig> {
  if (choices.exeConnection?.includes('VER_ONLY') !== true) return {};
  const requesterFlags = capabilityFlags(choices.peerCapabilities ?? requesterCapabilities);
  const beforehand = agreedBeforehand(config, config.versions.at(-1)!, requesterFlags);
  if (!isPeerFault(beforehand)) return { beforehand };
  throw new EngineRefusal(`--exe_conn VER_ONLY: ${beforehand.detail}`);
}

/** @throws EngineRefusal on choices this device cannot be built with */
export function build(options: ResponderOptions): Built {
  const { crypto, random, transport, choices, device } = options;
  const flags = capabilityFlags(
    choices.capabilities ?? {
      ...CAPABILITIES_DEFAULT,
      HBEAT_CAP: device.heartbeatPeriod > 0 ? 1 : 0,
    },
  );
  const algorithms = algorithmsOf(options);
  const identity = identityOf(options, flags);
  const readiness = readinessOf(options.serviceTimeMs ?? 0);
  const { MeasurementChanged, CertificateChanged } = DmtfEventTypes;
  const notifies = capability(flags, 'EVENT_CAP') === 1;
  const config: DeviceConfig = {
    crypto,
    binding: transport.binding,
    random,
    versions: versionsChosen(choices),
    securedVersions: choices.securedVersions ?? spokenSecuredVersions,
    flags,
    ...sizesOf(options, flags),
    algorithms,
    identity,
    heartbeatPeriod: device.heartbeatPeriod,
    sessionsMax: SESSIONS_MAX,
    psk: pskOf(options.psks ?? []),
    mutualAuthentication: mutualOf(options),
    deviceClasses,
    acceptsEvents: true,
    ...(notifies ? { eventGroups: [dmtfEvents(MeasurementChanged, CertificateChanged)] } : {}),
    ...(readiness === undefined ? {} : { readiness }),
    ...(options.keyLog === undefined ? {} : { keyLog: options.keyLog }),
  };
  const provisioning = provisioningOf(options);
  const told = { ...config, ...beforehandOf(options, config) };
  return { config: told, identity, provisioning, preferred: preferredOf(algorithms) };
}
