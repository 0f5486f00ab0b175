/**
 * The simulated device as `serve` puts it on a socket: SPDM, IDE_KM and TDISP responders over key pairs and
 * slots made from a seed, or brought along. Each connection gets engines of its own, as several hosts would
 * each have their sessions; keys and certificates are the device's, and outlive them.
 */

import { DeviceConnection } from './device-connection.ts';
import type { ResponderEngine, ResponderOptions } from './engines.ts';
import { EngineRefusal } from './engines.ts';
import { build } from './responder-config.ts';

/**
 * All the requester emulator does but what takes its own files (SET_CERT) or a CXL device (the rest of its
 * APP).
 */
const REQUESTER_ARGUMENTS = [
  ...['--exe_conn', 'DIGEST,CERT,CHAL,MEAS,MEL,GET_CSR,GET_KEY_PAIR_INFO,EP_INFO'],
  ...['--exe_session', 'KEY_EX,PSK,KEY_UPDATE,HEARTBEAT,MEAS,MEL,DIGEST,CERT'],
];

/** @throws EngineRefusal on choices this device cannot be built with */
export function makeResponder(options: ResponderOptions): ResponderEngine {
  const built = build(options);
  const { identity, preferred } = built;
  const { manufacturer, product, serial } = options.device;
  const rootCertificate = identity.rootOf(preferred);
  const publicKey = identity.publicKeyOf(preferred);
  if (rootCertificate === undefined || publicKey === undefined)
    throw new EngineRefusal('--cert-dir: it has no chain with its key');
  let live = 0;
  // Nobody is left to talk to: the device may well be switched off and on again.
  const closed = () => {
    live--;
    if (live === 0) identity.deviceReset();
  };
  const connect = () => {
    live++;
    return new DeviceConnection(built, options, closed);
  };
  return {
    connect,
    rootCertificate,
    publicKey,
    deviceInfo: `${manufacturer}:${product}:${serial}`,
    requesterArguments: REQUESTER_ARGUMENTS,
  };
}
