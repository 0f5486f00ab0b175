/**
 * The certificates a simulated device is provisioned with: root CA, intermediate CA and leaf, as DSP0274
 * describes them for the device and the alias certificate model. Built once, before time starts.
 */

import { type SignatureName, signatureAlgorithms } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { buildCertificate, type CertificatePlan, type NamePlan } from './build.ts';
import { type ExtensionPlan, keyIdentifier } from './build-extensions.ts';
import { DmtfOids, EkuOids, type KeyUsageName, PCI_SIG_CMA_IDENTITY } from './oids.ts';
import type { CertificateModel } from './policy.ts';

/** One link of the chain. */
export interface EntityPlan {
  readonly name: NamePlan;
  /** scalar in [1, n-1], most significant byte first */
  readonly privateKey: Uint8Array;
  /** positive, most significant byte first */
  readonly serialNumber: Uint8Array;
}

export interface DeviceChainPlan {
  /** of all three keys */
  readonly signature: SignatureName;
  readonly root: EntityPlan;
  readonly intermediate: EntityPlan;
  readonly leaf: EntityPlan;
  /** `YYYYMMDDHHMMSSZ` for all three; 99991231235959Z means no expiration */
  readonly notBefore: string;
  readonly notAfter: string;
  /** `Manufacturer:Product:SerialNumber` */
  readonly deviceInfo: string;
  /** PCIe CMA-SPDM identity `Vendor=...:Device=...`; left out by default */
  readonly cmaIdentity?: string;
  /** default device: hardware identity in the leaf; alias: in the intermediate, the leaf mutable */
  readonly model?: CertificateModel;
  /** SPDM roles the leaf may play; default responder */
  readonly roles?: readonly ('responder' | 'requester')[];
}

export interface DeviceChain {
  readonly root: Uint8Array;
  readonly intermediate: Uint8Array;
  readonly leaf: Uint8Array;
  /** the three in the order of an SPDM chain */
  readonly certificates: readonly [Uint8Array, Uint8Array, Uint8Array];
  /** X || Y of the leaf */
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

/**
 * Root, intermediate and leaf in DER.
 * @throws LocalError naming the part of the plan that cannot be encoded.
 */
export function buildDeviceChain(crypto: CryptoProvider, plan: DeviceChainPlan): DeviceChain {
  const { curve } = signatureAlgorithms[plan.signature];
  const build = (subject: EntityPlan, issuer: EntityPlan, extensions: ExtensionPlan) => {
    const publicKey = crypto.publicKey(curve, subject.privateKey);
    const issuerKey = crypto.publicKey(curve, issuer.privateKey);
    const certificate: CertificatePlan = {
      issuer: issuer.name,
      subject: subject.name,
      serialNumber: subject.serialNumber,
      notBefore: plan.notBefore,
      notAfter: plan.notAfter,
      curve,
      publicKey,
      extensions: {
        ...extensions,
        subjectKeyIdentifier: keyIdentifier(crypto, publicKey),
        authorityKeyIdentifier: keyIdentifier(crypto, issuerKey),
      },
    };
    const { signature } = plan;
    return buildCertificate(crypto, certificate, { signature, privateKey: issuer.privateKey });
  };
  const ca = (pathLenConstraint: number): ExtensionPlan => ({
    basicConstraints: { cA: true, pathLenConstraint },
    keyUsage: CA_USAGE,
  });
  const deviceCa = plan.model === 'alias' ? { spdmOids: [DmtfOids.HARDWARE_IDENTITY] } : undefined;
  const root = build(plan.root, plan.root, ca(1));
  const intermediate = build(plan.intermediate, plan.root, { ...ca(0), ...deviceCa });
  const leaf = build(plan.leaf, plan.intermediate, leafExtensions(plan));
  return {
    root,
    intermediate,
    leaf,
    certificates: [root, intermediate, leaf],
    leafPublicKey: crypto.publicKey(curve, plan.leaf.privateKey),
  };
}
