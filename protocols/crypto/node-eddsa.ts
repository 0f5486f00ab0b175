/**
 * Ed25519 and Ed448 by node:crypto, after the same strict look at the encodings. Node has no context
 * parameter for Ed448: a signature with one is left to the portable scheme.
 */

import {
  createPrivateKey,
  createPublicKey,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto';
import { concat, fromHex } from '../codec/bytes.ts';
import { remembered } from './bounded-cache.ts';
import { type EdName, edEncodingsAreStrict, edKeySizes } from './eddsa.ts';
import type { SignatureScheme } from './engine.ts';
import { plain } from './node-elliptic.ts';

/** DER before the key in PKCS #8 and SubjectPublicKeyInfo (RFC 8410). */
const frames: Readonly<Record<EdName, { readonly pkcs8: Uint8Array; readonly spki: Uint8Array }>> =
  {
    EDDSA_25519: {
      pkcs8: fromHex('302e020100300506032b657004220420'),
      spki: fromHex('302a300506032b6570032100'),
    },
    EDDSA_448: {
      pkcs8: fromHex('3047020100300506032b6571043b0439'),
      spki: fromHex('3043300506032b6571033a00'),
    },
  };

export function nodeEddsa(name: EdName, portable: SignatureScheme): SignatureScheme {
  const { pkcs8, spki } = frames[name];
  const der = (frame: Uint8Array, key: Uint8Array) =>
    ({ key: Buffer.from(concat(frame, key)), format: 'der' }) as const;
  const privateObject = remembered((key) =>
    createPrivateKey({ ...der(pkcs8, key), type: 'pkcs8' }),
  );
  const publicObject = remembered((key) => createPublicKey({ ...der(spki, key), type: 'spki' }));
  try {
    privateObject(new Uint8Array(edKeySizes[name]));
  } catch {
    return portable;
  }
  return {
    ...portable,
    sign: (hash, privateKey, message, context) =>
      context.length > 0
        ? portable.sign(hash, privateKey, message, context)
        : plain(nodeSign(null, message, privateObject(privateKey))),
    verify(hash, publicKey, message, signature, context) {
      if (context.length > 0) return portable.verify(hash, publicKey, message, signature, context);
      if (!edEncodingsAreStrict(name, publicKey, signature)) return false;
      try {
        return nodeVerify(null, message, publicObject(publicKey), signature);
      } catch {
        return false;
      }
    },
    publicKey(privateKey) {
      const exported = createPublicKey(privateObject(privateKey));
      return plain(exported.export({ format: 'der', type: 'spki' })).slice(spki.length);
    },
  };
}
