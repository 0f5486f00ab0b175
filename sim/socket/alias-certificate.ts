/** The certificate a device of the alias model issues to its own key (DSP0274 10.6, alias certificates). */

import { type SignatureName, signatureFacts } from '../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import { buildCertificate } from '../../protocols/x509/build.ts';
import { keyIdentifier } from '../../protocols/x509/build-extensions.ts';
import type { DeviceChainPlan } from '../../protocols/x509/device-chain.ts';
import { DmtfOids, EkuOids } from '../../protocols/x509/oids.ts';
import type { Certificate } from '../../protocols/x509/parse.ts';

interface AliasRequest {
  /** whose device key signs, and whose leaf's name and serial number the certificate bears */
  readonly plan: DeviceChainPlan;
  /** of the device key */
  readonly certificate: Certificate;
  /** of the alias key, as `CryptoProvider.verify` takes it */
  readonly publicKey: Uint8Array;
  readonly deviceInfo: string;
}

/** The alias certificate in DER. */
export function issueAlias(crypto: CryptoProvider, request: AliasRequest): Uint8Array {
  const { plan, certificate, publicKey, deviceInfo } = request;
  const { leaf, notBefore, notAfter } = plan;
  const device = plan.device!;
  const signature: SignatureName = device.signature ?? plan.signature;
  const algorithm: SignatureName = leaf.signature ?? plan.signature;
  const authority = certificate.extensions.subjectKeyIdentifier;
  return buildCertificate(
    crypto,
    {
      issuer: device.name,
      subject: leaf.name,
      serialNumber: leaf.serialNumber,
      notBefore,
      notAfter,
      algorithm,
      publicKey,
      extensions: {
        basicConstraints: { cA: false },
        keyUsage: ['digitalSignature'],
        extKeyUsage: [DmtfOids.EKU_RESPONDER_AUTH, EkuOids.SERVER_AUTH],
        otherNames: [{ typeId: DmtfOids.DEVICE_INFO, value: deviceInfo }],
        spdmOids: [DmtfOids.MUTABLE_CERTIFICATE],
        subjectKeyIdentifier: keyIdentifier(crypto, algorithm, publicKey),
        ...(authority === undefined ? {} : { authorityKeyIdentifier: authority }),
      },
    },
    { signature, hash: signatureFacts(signature).hash, privateKey: device.privateKey },
  );
}
