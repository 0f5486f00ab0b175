/** Who answers which request: one table from the rooms of this folder. */

import { authHandlers } from './auth.ts';
import { carrierHandlers } from './carriers.ts';
import { csrHandlers } from './csr.ts';
import { encapsulatedHandlers } from './encapsulated.ts';
import { endpointInfoHandlers } from './endpoint-info.ts';
import { eventHandlers } from './events.ts';
import { extensionLogHandlers } from './extension-log.ts';
import { keyPairHandlers } from './key-pairs.ts';
import { keyUpdateHandlers } from './key-update.ts';
import { pskHandlers } from './psk.ts';
import { sessionHandlers } from './session.ts';
import { setCertificateHandlers } from './set-certificate.ts';
import type { Handlers } from './state.ts';
import { vcaHandlers } from './vca.ts';
import { vendorHandlers } from './vendor.ts';

export const handlers: Handlers = {
  ...vcaHandlers,
  ...authHandlers,
  ...sessionHandlers,
  ...pskHandlers,
  ...keyUpdateHandlers,
  ...encapsulatedHandlers,
  ...csrHandlers,
  ...setCertificateHandlers,
  ...keyPairHandlers,
  ...endpointInfoHandlers,
  ...extensionLogHandlers,
  ...eventHandlers,
  ...vendorHandlers,
  ...carrierHandlers,
};
