/**
 * ML-KEM (FIPS 203), ML-DSA (FIPS 204) and SLH-DSA (FIPS 205), by @noble/post-quantum. Signatures are the
 * pure, deterministic variants with the scheme's context string.
 */

import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import * as slh from '@noble/post-quantum/slh-dsa.js';
import { LocalError } from '../codec/refusal.ts';
import { type KemName, type SignatureName, signatureFacts } from './algorithms.ts';
import { checkSize } from './arguments.ts';
import type { Kem, SignatureScheme } from './engine.ts';

const signers = {
  ML_DSA_44: ml_dsa44,
  ML_DSA_65: ml_dsa65,
  ML_DSA_87: ml_dsa87,
  SLH_DSA_SHA2_128S: slh.slh_dsa_sha2_128s,
  SLH_DSA_SHAKE_128S: slh.slh_dsa_shake_128s,
  SLH_DSA_SHA2_128F: slh.slh_dsa_sha2_128f,
  SLH_DSA_SHAKE_128F: slh.slh_dsa_shake_128f,
  SLH_DSA_SHA2_192S: slh.slh_dsa_sha2_192s,
  SLH_DSA_SHAKE_192S: slh.slh_dsa_shake_192s,
  SLH_DSA_SHA2_192F: slh.slh_dsa_sha2_192f,
  SLH_DSA_SHAKE_192F: slh.slh_dsa_shake_192f,
  SLH_DSA_SHA2_256S: slh.slh_dsa_sha2_256s,
  SLH_DSA_SHAKE_256S: slh.slh_dsa_shake_256s,
  SLH_DSA_SHA2_256F: slh.slh_dsa_sha2_256f,
  SLH_DSA_SHAKE_256F: slh.slh_dsa_shake_256f,
} as const;
export type PqcSignatureName = keyof typeof signers;

/** Our own key of the right size that the algorithm refuses is our mistake; its words stay with it. */
function ours<T>(argument: string, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    throw new LocalError(`${argument}: ${(error as Error).message}`);
  }
}

export function pqcScheme(name: PqcSignatureName): SignatureScheme {
  const signer = signers[name];
  const { publicKeySize } = signatureFacts(name satisfies SignatureName);
  return {
    checkPrivateKey: (privateKey) =>
      checkSize('privateKey', name, privateKey, signer.lengths.secretKey!),
    sign: (_hash, privateKey, message, context) =>
      ours('privateKey', () => signer.sign(message, privateKey, { context, extraEntropy: false })),
    verify(_hash, publicKey, message, signature, context) {
      if (publicKey.length !== publicKeySize) return false;
      try {
        return signer.verify(signature, message, publicKey, { context });
      } catch {
        return false;
      }
    },
    generate: (random) => signer.keygen(random(signer.lengths.seed!)).secretKey,
    publicKey: (privateKey) => ours('privateKey', () => signer.getPublicKey(privateKey)),
  };
}

const kems = { ML_KEM_512: ml_kem512, ML_KEM_768: ml_kem768, ML_KEM_1024: ml_kem1024 } as const;

export function mlKem(name: KemName): Kem {
  const kem = kems[name];
  return {
    decapsulationKeySize: kem.lengths.secretKey!,
    keyPair(seed) {
      const { publicKey, secretKey } = kem.keygen(seed);
      return { encapsulationKey: publicKey, decapsulationKey: secretKey };
    },
    encapsulate(encapsulationKey, message) {
      try {
        const { cipherText, sharedSecret } = kem.encapsulate(encapsulationKey, message);
        return { ciphertext: cipherText, sharedSecret };
      } catch {
        return undefined;
      }
    },
    decapsulate: (decapsulationKey, ciphertext) =>
      ours('decapsulationKey', () => kem.decapsulate(ciphertext, decapsulationKey)),
  };
}
