/**
 * What `attach` is built with: choices of options become one requester configuration. What was not chosen
 * is as the DMTF requester emulator has it, but for algorithms, of which everything computed is offered;
 * what the provider does not compute is refused by name before anybody connects.
 */

import { equal } from '../../protocols/codec/bytes.ts';
import type { PeerFault } from '../../protocols/codec/refusal.ts';
import type { SignatureName } from '../../protocols/crypto/algorithms.ts';
import { otherParamsBits } from '../../protocols/spdm/algorithms.ts';
import { capabilityFlags, RegistryIds } from '../../protocols/spdm/codes.ts';
import type { DeviceClass } from '../../protocols/spdm/endpoint-info.ts';
import type { Identity } from '../../protocols/spdm/identity.ts';
import type { LeafKey } from '../../protocols/spdm/observer/types.ts';
import { highestBit, type PreferenceKind, preferred } from '../../protocols/spdm/preference.ts';
import type { ProvisionedPeer } from '../../protocols/spdm/requester/provisioned.ts';
import type { RequesterConfig } from '../../protocols/spdm/requester/state.ts';
import type { AttachOptions, Capabilities, PresharedKey, SpdmChoices } from './engines.ts';
import {
  requesterCapabilities,
  spokenSecuredVersions,
  supportedAlgorithms,
  versionsChosen,
} from './supported.ts';

/** One mailbox transfer of the emulators and of QEMU, without the header of the DOE object. */
const DATA_TRANSFER_SIZE = 0x1200;
/** A whole chain of the largest signatures, and a log of measurements. */
const MESSAGE_SIZE = 0x20000;
const CERTIFICATE_PORTION_BYTES = 1024;

const isMultiKey = (params: number) =>
  Math.floor(params / 2 ** otherParamsBits.MULTI_KEY_CONN[0]) % 2 === 1;

/** The key of a hint among those given. */
export const pskOf =
  (keys: readonly PresharedKey[]) =>
  (hint: Uint8Array): Uint8Array | undefined =>
    keys.find((entry) => equal(entry.hint, hint))?.key;

export interface ConfigParts {
  readonly identity: Identity;
  readonly psks: readonly PresharedKey[];
  readonly trust: (chain: Uint8Array, wanted: SignatureName | undefined) => LeafKey | PeerFault;
}

/**
 * What ENDPOINT_INFO says of the requester: a bridge, by the base class code of the PCI-SIG. One byte, so
 * that the message ends with a DW: peers compare its length with that of the padded DOE object.
 */
const DEVICE_CLASSES: readonly DeviceClass[] = [
  {
    ID: RegistryIds.PCI_SIG,
    VendorID: Uint8Array.of(1, 0),
    SubordinateID: [{ SubIdentifier: Uint8Array.of(0x06) }],
  },
];

/** @throws EngineRefusal on choices this requester cannot be built with */
export function requesterConfig(options: AttachOptions, parts: ConfigParts): RequesterConfig {
  const { crypto, random, transport, choices, keyLog } = options;
  const flags = capabilityFlags(choices.capabilities ?? requesterCapabilities);
  const dataTransferSize = choices.dataTransferSize ?? DATA_TRANSFER_SIZE;
  const chunks = (choices.capabilities ?? requesterCapabilities).CHUNK_CAP === 1;
  // Without chunks a message is no longer than one transfer.
  const most = chunks ? (choices.maxSpdmMsgSize ?? MESSAGE_SIZE) : dataTransferSize;
  return {
    crypto,
    binding: transport.binding,
    random,
    versions: versionsChosen(choices),
    securedVersions: choices.securedVersions ?? spokenSecuredVersions,
    flags,
    ctExponent: choices.ctExponent ?? 0,
    dataTransferSize,
    maxSpdmMsgSize: Math.max(dataTransferSize, most),
    algorithms: supportedAlgorithms(crypto, choices),
    certificatePortion: CERTIFICATE_PORTION_BYTES,
    asksMultiKey: choices.otherParams === undefined || isMultiKey(choices.otherParams),
    identity: parts.identity,
    deviceClasses: DEVICE_CLASSES,
    psk: pskOf(parts.psks),
    trust: (chain, _hashSize, wanted) => parts.trust(chain, wanted),
    ...(keyLog === undefined ? {} : { keyLog }),
  };
}

/** As the emulator's responder is by default. */
const PEER_CAPABILITIES: Capabilities = {
  ...requesterCapabilities,
  MEAS_CAP: 2,
  MEAS_FRESH_CAP: 1,
  PSK_CAP: 2,
};

/**
 * What VER_ONLY takes for granted: --peer_cap, and of each kind of algorithm the preferred one of those chosen;
 * of two families the classic one, as a responder chooses.
 */
export function provisionedPeer(
  { peerCapabilities }: SpdmChoices,
  { algorithms }: RequesterConfig,
): ProvisionedPeer {
  const { baseAsym, pqcAsym, reqAsym, reqPqcAsym, dhe, kem } = algorithms;
  const either = (kinds: readonly [PreferenceKind, PreferenceKind], first = 0, second = 0) =>
    first === 0 ? [0, preferred(kinds[1], second)] : [preferred(kinds[0], first), 0];
  const [asym = 0, pqc = 0] = either(['asym', 'pqcAsym'], baseAsym, pqcAsym);
  const [own = 0, ownPqc = 0] = either(['asym', 'pqcAsym'], reqAsym, reqPqcAsym);
  const [group = 0, encapsulation = 0] = either(['dhe', 'kem'], dhe, kem);
  return {
    flags: capabilityFlags(peerCapabilities ?? PEER_CAPABILITIES),
    selected: {
      ...algorithms,
      baseHash: preferred('hash', algorithms.baseHash),
      measurementHash: highestBit(algorithms.measurementHash),
      aead: preferred('aead', algorithms.aead),
      baseAsym: asym,
      pqcAsym: pqc,
      reqAsym: own,
      reqPqcAsym: ownPqc,
      dhe: group,
      kem: encapsulation,
    },
  };
}
