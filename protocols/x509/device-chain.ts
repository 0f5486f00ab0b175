/**
 * The certificates a simulated device, or a requester that authenticates itself, is provisioned with:
 * root CA, intermediate CA and leaf, as DSP0274 10.6 describes them for its certificate models. Built
 * once, before time starts.
 */

import { type HashName, type SignatureName, signatureFacts } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { buildCertificate, type CertificatePlan, type NamePlan } from './build.ts';
import { type ExtensionPlan, keyIdentifier } from './build-extensions.ts';
import { DmtfOids, EkuOids, type KeyUsageName, PCI_SIG_CMA_IDENTITY } from './oids.ts';
import type { CertificateModel } from './policy.ts';

/** One link of the chain. */
export interface EntityPlan {
  readonly name: NamePlan;
  /** as `CryptoProvider.sign` takes it */
  readonly privateKey: Uint8Array;
  /** positive, most significant byte first */
  readonly serialNumber: Uint8Array;
  /** of this one's key; default: the plan's */
  readonly signature?: SignatureName;
}

export interface DeviceChainPlan {
  /** of the keys whose entity names no other */
  readonly signature: SignatureName;
  /** that every certificate is signed with; default: the one usually paired with the issuer's algorithm */
  readonly hash?: HashName;
  readonly root: EntityPlan;
  readonly intermediate: EntityPlan;
  /** alias model: the device certificate, a CA between the intermediate and the alias leaf */
  readonly device?: EntityPlan;
  readonly leaf: EntityPlan;
  /** `YYYYMMDDHHMMSSZ` for all of them; 99991231235959Z means no expiration */
  readonly notBefore: string;
  readonly notAfter: string;
  /** `Manufacturer:Product:SerialNumber` */
  readonly deviceInfo: string;
  /** PCIe CMA-SPDM identity `Vendor=...:Device=...`; left out by default */
  readonly cmaIdentity?: string;
  /**
   * Default device: hardware identity in the leaf. Alias: the leaf mutable, hardware identity in the
   * device certificate, which is `intermediate` unless there is a `device`. Generic: neither.
   */
  readonly model?: CertificateModel;
  /** SPDM roles the leaf may play; default responder */
  readonly roles?: readonly ('responder' | 'requester')[];
}

export interface DeviceChain {
  readonly root: Uint8Array;
  readonly intermediate: Uint8Array;
  /** of a plan with a `device` */
  readonly device?: Uint8Array;
  readonly leaf: Uint8Array;
  /** all of them in the order of an SPDM chain, three or, with a `device`, four */
  readonly certificates: readonly [Uint8Array, Uint8Array, Uint8Array, ...Uint8Array[]];
  /** of the leaf, as `CryptoProvider.verify` takes it */
  readonly leafPublicKey: Uint8Array;
}

const CA_USAGE: readonly KeyUsageName[] = ['keyCertSign', 'cRLSign'];
const roleUsages = {
  responder: [DmtfOids.EKU_RESPONDER_AUTH, EkuOids.SERVER_AUTH],
  requester: [DmtfOids.EKU_REQUESTER_AUTH, EkuOids.CLIENT_AUTH],
} as const;

function leafExtensions(plan: DeviceChainPlan): ExtensionPlan {
  const identity: { typeId: string; value: string }[] = [
    { typeId: DmtfOids.DEVICE_INFO, value: plan.deviceInfo },
  ];
  if (plan.cmaIdentity !== undefined)
    identity.push({ typeId: PCI_SIG_CMA_IDENTITY, value: plan.cmaIdentity });
  const spdmOids = {
    device: { spdmOids: [DmtfOids.HARDWARE_IDENTITY] },
    alias: { spdmOids: [DmtfOids.MUTABLE_CERTIFICATE] },
    generic: {},
  };
  return {
    basicConstraints: { cA: false },
    keyUsage: ['digitalSignature'],
    extKeyUsage: (plan.roles ?? ['responder']).flatMap((role) => roleUsages[role]),
    otherNames: identity,
    ...spdmOids[plan.model ?? 'device'],
  };
}

/** A plan's entity with what its certificate and those it issues take from it. */
interface Entity {
  readonly plan: EntityPlan;
  readonly signature: SignatureName;
  readonly publicKey: Uint8Array;
  readonly keyIdentifier: Uint8Array;
}

function entityOf(crypto: CryptoProvider, plan: EntityPlan, fallback: SignatureName): Entity {
  const signature = plan.signature ?? fallback;
  const publicKey = crypto.signingPublicKey(signature, plan.privateKey);
  const identifier = keyIdentifier(crypto, signature, publicKey);
  return { plan, signature, publicKey, keyIdentifier: identifier };
}

function issue(
  crypto: CryptoProvider,
  chain: DeviceChainPlan,
  issuer: Entity,
  subject: Entity,
  extensions: ExtensionPlan,
): Uint8Array {
  const certificate: CertificatePlan = {
    issuer: issuer.plan.name,
    subject: subject.plan.name,
    serialNumber: subject.plan.serialNumber,
    notBefore: chain.notBefore,
    notAfter: chain.notAfter,
    algorithm: subject.signature,
    publicKey: subject.publicKey,
    extensions: {
      ...extensions,
      subjectKeyIdentifier: subject.keyIdentifier,
      authorityKeyIdentifier: issuer.keyIdentifier,
    },
  };
  const { signature } = issuer;
  return buildCertificate(crypto, certificate, {
    signature,
    hash: chain.hash ?? signatureFacts(signature).hash,
    privateKey: issuer.plan.privateKey,
  });
}

/**
 * The chain's certificates in DER.
 * @throws LocalError naming the part of the plan that cannot be encoded.
 */
export function buildDeviceChain(crypto: CryptoProvider, plan: DeviceChainPlan): DeviceChain {
  const entity = (of: EntityPlan) => entityOf(crypto, of, plan.signature);
  const [root, intermediate, leaf] = [plan.root, plan.intermediate, plan.leaf].map(entity) as [
    Entity,
    Entity,
    Entity,
  ];
  const device = plan.device && entity(plan.device);
  const ca = (pathLenConstraint: number, holdsIdentity: boolean): ExtensionPlan => ({
    basicConstraints: { cA: true, pathLenConstraint },
    keyUsage: CA_USAGE,
    ...(holdsIdentity ? { spdmOids: [DmtfOids.HARDWARE_IDENTITY] } : {}),
  });
  const isAlias = plan.model === 'alias';
  const below = device === undefined ? 0 : 1;
  const make = (issuer: Entity, subject: Entity, extensions: ExtensionPlan) =>
    issue(crypto, plan, issuer, subject, extensions);
  const rootDer = make(root, root, ca(1 + below, false));
  const intermediateDer = make(root, intermediate, ca(below, isAlias && device === undefined));
  const deviceDer = device && make(intermediate, device, ca(0, isAlias));
  const leafDer = make(device ?? intermediate, leaf, leafExtensions(plan));
  const all = {
    root: rootDer,
    intermediate: intermediateDer,
    leaf: leafDer,
    leafPublicKey: leaf.publicKey,
  };
  return deviceDer === undefined
    ? { ...all, certificates: [rootDer, intermediateDer, leafDer] }
    : { ...all, device: deviceDer, certificates: [rootDer, intermediateDer, deviceDer, leafDer] };
}
