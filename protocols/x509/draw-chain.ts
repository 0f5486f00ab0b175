/**
 * Plans of SPDM certificate chains whose keys and serial numbers come out of a random source: one seed,
 * one identity, for any signature algorithm, role and certificate model of DSP0274 10.6.
 */

import type { HashName, SignatureName } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import type { NamePlan } from './build.ts';
import type { DeviceChainPlan, EntityPlan } from './device-chain.ts';
import type { CertificateModel } from './policy.ts';

export interface ChainDraw {
  readonly crypto: CryptoProvider;
  /** bytes that decide keys and serial numbers; the same ones give the same chain */
  readonly random: (size: number) => Uint8Array;
  readonly algorithm: SignatureName;
  /** of the authorities, where it is another one; drawing RSA keys takes seconds */
  readonly authorities?: SignatureName;
  /** default: the one usually paired with the issuer's algorithm */
  readonly hash?: HashName;
  /** default device */
  readonly model?: CertificateModel;
  /** default responder; a requester's chain for mutual authentication is drawn the same way */
  readonly roles?: DeviceChainPlan['roles'];
  /** `Manufacturer:Product:SerialNumber`, of which the names are made as well */
  readonly deviceInfo: string;
  readonly cmaIdentity?: string;
  /** `YYYYMMDDHHMMSSZ` */
  readonly notBefore: string;
  /** default no expiration */
  readonly notAfter?: string;
}

const NO_EXPIRATION_TEXT = '99991231235959Z';
const SERIAL_BYTES = 8;

/** Eight bytes whose top bit is clear and the next one set: positive, and never shorter. */
function drawSerial(random: ChainDraw['random']): Uint8Array {
  const serial = random(SERIAL_BYTES).slice();
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial;
}

/**
 * A plan for `buildDeviceChain`: root, intermediate and leaf drawn in this order, with a device
 * certificate before the leaf in the alias model. Each draws its serial number first, then its key.
 * The plan holds the private keys: the leaf's is `plan.leaf.privateKey`.
 */
export function drawChainPlan(draw: ChainDraw): DeviceChainPlan {
  const { crypto, random, algorithm, hash, model, roles, deviceInfo, cmaIdentity } = draw;
  const [manufacturer = '', product = '', serial = ''] = deviceInfo.split(':');
  const entity = (name: string, signature: SignatureName): EntityPlan => {
    const serialNumber = drawSerial(random);
    const privateKey = crypto.generateSigningKey(signature, random);
    const names: NamePlan = [
      ['O', manufacturer],
      ['CN', name],
    ];
    return { name: names, serialNumber, privateKey, signature };
  };
  const authority = draw.authorities ?? algorithm;
  const root = entity(`${manufacturer} Root CA`, authority);
  const intermediate = entity(`${product} Model CA`, authority);
  const device =
    model === 'alias' ? entity(`${product} ${serial} Device CA`, authority) : undefined;
  const leaf = entity(`${product} ${serial}`.trim(), algorithm);
  return {
    signature: algorithm,
    root,
    intermediate,
    leaf,
    notBefore: draw.notBefore,
    notAfter: draw.notAfter ?? NO_EXPIRATION_TEXT,
    deviceInfo,
    ...(device && { device }),
    ...(hash && { hash }),
    ...(cmaIdentity !== undefined && { cmaIdentity }),
    ...(model && { model }),
    ...(roles && { roles }),
  };
}
