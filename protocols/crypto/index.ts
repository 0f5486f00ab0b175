/**
 * Cryptography behind one interface, and the portable provider. The quick one, over node:crypto, is the
 * entry `tdisp-sim/crypto/node`, so that this one loads in a browser.
 */

export * from './algorithms.ts';
export { type BlockCipher, gcmOpen, gcmSeal } from './gcm-reference.ts';
export { hkdfExpand, hkdfExtract } from './hkdf.ts';
export { nobleProvider } from './noble.ts';
export {
  type CryptoProvider,
  drawPrivateKey,
  type Encapsulated,
  type KemKeyPair,
} from './provider.ts';
