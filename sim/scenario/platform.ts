/** A scenario's machine, built from its description: host on one side of a link, device on the other. */

import { Endpoint } from '../../devices/endpoint.ts';
import { Iommu } from '../../devices/iommu.ts';
import { Link } from '../../devices/link.ts';
import { HostMemory } from '../../devices/memory.ts';
import type { SimRecords } from '../../devices/records.ts';
import { RootComplex } from '../../devices/root-complex.ts';
import { ascii } from '../../protocols/codec/bytes.ts';
import { type PeerFault, peerFault } from '../../protocols/codec/refusal.ts';
import { type CryptoProvider, drawPrivateKey } from '../../protocols/crypto/provider.ts';
import {
  aeadBits,
  baseAsymBits,
  baseHashBits,
  dheBits,
  maskOf,
  measurementHashBits,
} from '../../protocols/spdm/algorithms.ts';
import { capabilityFlags, MeasurementTypes } from '../../protocols/spdm/codes.ts';
import { type Measured, measurementOf } from '../../protocols/spdm/measurements.ts';
import type { LeafKey } from '../../protocols/spdm/observer/observer.ts';
import type { KeyLogEntry } from '../../protocols/spdm/party.ts';
import type { RequesterConfig } from '../../protocols/spdm/requester/state.ts';
import { doeBinding } from '../../protocols/spdm/secured-message.ts';
import type { NamePlan } from '../../protocols/x509/build.ts';
import { buildDeviceChain, type DeviceChain } from '../../protocols/x509/device-chain.ts';
import { encodeCertChain, verifyCertChain } from '../../protocols/x509/spdm-chain.ts';
import { Kernel } from '../kernel/index.ts';
import type { DeviceProfile, Scenario } from './schema.ts';

const HASH = 'SHA_384';
const SIGNATURE = 'ECDSA_P384';
const CURVE = 'SECP_384_R1';
const SPDM_1_2 = 0x12;
const NOT_BEFORE = '20250101000000Z';
const NOT_AFTER = '99991231235959Z';
const SERIAL_BYTES = 16;
const ROOT_PORT_RID = 0x0008;

/** One algorithm of each kind: ECDSA and ECDHE P-384, SHA-384, AES-256-GCM. */
const algorithms = {
  measurementHash: maskOf(measurementHashBits, 'SHA_384'),
  baseAsym: maskOf(baseAsymBits, SIGNATURE),
  baseHash: maskOf(baseHashBits, HASH),
  dhe: maskOf(dheBits, CURVE),
  aead: maskOf(aeadBits, 'AES_256_GCM'),
};

/** `1.2` as the SPDMVersion byte. */
function versionByte(text: string): number {
  const [major = '', minor = ''] = text.split('.');
  return Number(major) * 16 + Number(minor);
}

export interface Platform {
  readonly scenario: Scenario;
  readonly profile: DeviceProfile;
  readonly kernel: Kernel<SimRecords>;
  readonly crypto: CryptoProvider;
  readonly link: Link;
  readonly memory: HostMemory;
  readonly iommu: Iommu;
  readonly complex: RootComplex;
  readonly endpoint: Endpoint;
  /** what the device measures now, and what its vendor published */
  readonly measured: readonly Measured[];
  readonly reference: readonly Measured[];
  readonly requester: RequesterConfig;
  /** secrets of the run's sessions, in order: what a dump needs */
  readonly secrets: KeyLogEntry[];
}

function measuredOf(profile: DeviceProfile): Measured[] {
  return profile.spdm.measurements.map(({ index, type, raw, tcb, content }) => ({
    index,
    type: MeasurementTypes[type as keyof typeof MeasurementTypes],
    raw,
    tcb,
    content: 'text' in content ? ascii(content.text) : content.hex,
  }));
}

function tampered(items: readonly Measured[], scenario: Scenario): Measured[] {
  const changes = new Map(scenario.device.tampered.map(({ index, text }) => [index, ascii(text)]));
  return items.map((item) => ({ ...item, content: changes.get(item.index) ?? item.content }));
}

function buildChain(kernel: Kernel<SimRecords>, crypto: CryptoProvider, profile: DeviceProfile) {
  const random = kernel.random('certificates');
  const draw = (size: number) => random.bytes(size);
  const entity = (commonName: string) => {
    const privateKey = drawPrivateKey(crypto, CURVE, draw);
    const serialNumber = random.bytes(SERIAL_BYTES);
    // DER integers are signed: a clear top bit keeps the number positive, a set one below it non-zero.
    serialNumber[0] = (serialNumber[0]! & 0x7f) | 0x40;
    const { manufacturer } = profile.identity;
    const name: NamePlan = [
      ['O', manufacturer],
      ['CN', commonName],
    ];
    return { name, privateKey, serialNumber };
  };
  const { manufacturer, product, serial } = profile.identity;
  const leaf = entity(`${product} ${serial}`);
  const chain = buildDeviceChain(crypto, {
    signature: SIGNATURE,
    root: entity(`${manufacturer} Root CA`),
    intermediate: entity(`${product} Model CA`),
    leaf,
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    deviceInfo: `${manufacturer}:${product}:${serial}`,
  });
  return { chain, privateKey: leaf.privateKey };
}

function requesterOf(
  kernel: Kernel<SimRecords>,
  crypto: CryptoProvider,
  scenario: Scenario,
  chain: DeviceChain,
  secrets: KeyLogEntry[],
): RequesterConfig {
  const random = kernel.random('tsm');
  const anchors = [{ hash: HASH, digest: crypto.hash(HASH, chain.root) } as const];
  return {
    crypto,
    binding: doeBinding,
    random: (size) => random.bytes(size),
    versions: [0x12, 0x13, 0x14],
    flags: capabilityFlags({
      CERT_CAP: 1,
      CHAL_CAP: 1,
      ENCRYPT_CAP: 1,
      MAC_CAP: 1,
      KEY_EX_CAP: 1,
      HBEAT_CAP: 1,
      HANDSHAKE_IN_THE_CLEAR_CAP: 1,
      CHUNK_CAP: 1,
    }),
    ctExponent: 20,
    dataTransferSize: 0x2000,
    maxSpdmMsgSize: 0x10000,
    algorithms,
    certificatePortion: 1024,
    keyLog: (entry) => secrets.push(entry),
    trust: (blob): LeafKey | PeerFault => {
      const at = scenario.epoch + Math.floor(kernel.now / 1e12);
      const leaf = {
        requireEku: true,
        requireHardwareIdentity: true,
        signature: SIGNATURE,
      } as const;
      const verdict = verifyCertChain(crypto, blob, HASH, SPDM_1_2, { anchors, at, leaf });
      if (!verdict.ok) return peerFault(`CHAIN_${verdict.code}`, verdict.detail);
      const publicKey = verdict.leaf.publicKey.key;
      if (publicKey === undefined) return peerFault('CHAIN_LEAF_KEY', 'the leaf has no EC key');
      return { algorithm: SIGNATURE, publicKey };
    },
  };
}

function buildEndpoint(
  parts: { kernel: Kernel<SimRecords>; crypto: CryptoProvider; link: Link },
  scenario: Scenario,
  profile: DeviceProfile,
  identity: { chain: Uint8Array; privateKey: Uint8Array },
  measured: readonly Measured[],
): Endpoint {
  const { latencies } = scenario.platform;
  const { kernel, crypto, link } = parts;
  const random = kernel.random('endpoint.dsm');
  return new Endpoint(kernel, {
    name: 'endpoint',
    crypto,
    link,
    functions: profile.functions.map((each) => ({
      number: each.number,
      vendorId: profile['vendor-id'],
      deviceId: each['device-id'],
      classCode: each['class-code'],
      bars: each.bars,
      msix: each.msix,
      nonTee: each['non-tee'],
    })),
    selectiveStreams: profile.ide['selective-streams'],
    latencyPs: latencies.endpoint,
    idePs: profile.ide.latency,
    completionTimeoutPs: latencies['completion-timeout'],
    addressWidth: profile.tdisp['address-width'],
    reportPortion: profile.tdisp['report-portion'],
    dsm: {
      random: (size) => random.bytes(size),
      costs: profile.costs,
      doeProcessingPs: profile.doe.processing,
      slots: new Map([
        [
          0,
          {
            chain: identity.chain,
            signer: { algorithm: SIGNATURE, privateKey: identity.privateKey },
          },
        ],
      ]),
      measure: () => measured,
      versions: profile.spdm.versions.map(versionByte),
      ctExponent: profile.spdm['ct-exponent'],
      dataTransferSize: profile.spdm['data-transfer-size'],
      maxSpdmMsgSize: profile.spdm['max-message-size'] ?? profile.spdm['data-transfer-size'],
      notReadyAbovePs: profile.spdm['not-ready-above'],
      handshakeInTheClear: profile.spdm['handshake-in-the-clear'],
      heartbeatPeriod: profile.spdm['heartbeat-period'],
      algorithms,
    },
  });
}

/** Builds the machine. Keys and certificates come from the seed before time starts. */
export function buildPlatform(
  scenario: Scenario,
  profile: DeviceProfile,
  crypto: CryptoProvider,
  seed: string | number = scenario.seed,
): Platform {
  const { events, time: timePs } = scenario.limits;
  const kernel = new Kernel<SimRecords>({ seed, limits: { events, timePs } });
  const { link: linkPlan, latencies, memory: regions } = scenario.platform;
  const link = new Link(kernel, {
    name: 'link',
    generation: linkPlan.generation,
    width: linkPlan.width,
    propagationPs: linkPlan.propagation,
  });
  const memory = new HostMemory(kernel, regions);
  const iommu = new Iommu(kernel, memory);
  const complex = new RootComplex(kernel, {
    memory,
    iommu,
    cpuPs: latencies.cpu,
    rootPortPs: latencies['root-port'],
    iommuPs: latencies.iommu,
    memoryPs: latencies.memory,
    rootPort: {
      name: 'root-port',
      crypto,
      link,
      rid: ROOT_PORT_RID,
      idePs: latencies.ide,
      completionTimeoutPs: latencies['completion-timeout'],
      keyUnitPs: latencies['key-unit'],
    },
  });
  const secrets: KeyLogEntry[] = [];
  const { chain, privateKey } = buildChain(kernel, crypto, profile);
  const reference = measuredOf(profile);
  const measured = tampered(reference, scenario);
  const blob = encodeCertChain(crypto, HASH, SPDM_1_2, chain.certificates);
  const parts = { kernel, crypto, link };
  const identity = { chain: blob, privateKey };
  const endpoint = buildEndpoint(parts, scenario, profile, identity, measured);
  const requester = requesterOf(kernel, crypto, scenario, chain, secrets);
  return {
    ...{ scenario, profile, kernel, crypto, link, memory, iommu, complex, endpoint },
    ...{ measured, reference, requester, secrets },
  };
}

/** Reference blocks, as a verifier would have them from the vendor. */
export function referenceBlocks(platform: Platform) {
  return platform.reference.map((item) => measurementOf(platform.crypto, HASH, item));
}
