/** Certificates of SPDM devices: building, parsing, judging chains (DSP0274 10.6, RFC 5280). */

export * from './build.ts';
export * from './build-csr.ts';
export * from './csr.ts';
export * from './describe.ts';
export * from './device-chain.ts';
export * from './draw-chain.ts';
export * from './oids.ts';
export * from './parse.ts';
export * from './pkcs8.ts';
export * from './policy.ts';
export * from './signature.ts';
export * from './spdm-chain.ts';
export * from './spki.ts';
export * from './split.ts';
export * from './verify.ts';
