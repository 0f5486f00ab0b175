/**
 * The one door to `@peculiar/x509`, which needs `reflect-metadata` loaded before it: everybody else
 * imports from here. Only its synchronous parsers pass; its generators are asynchronous and sign with
 * random nonces, which a replayable run cannot use.
 */

import 'reflect-metadata';

export {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsagesExtension,
  Name,
  SubjectKeyIdentifierExtension,
  X509Certificate,
} from '@peculiar/x509';
