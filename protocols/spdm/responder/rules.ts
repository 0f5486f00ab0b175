/**
 * Which request a responder takes in which state, as tables (DSP0274 10.1 and 10.12). What is not
 * legal here is refused with the named ERROR and changes nothing.
 */

import { type CapabilityName, capability, ErrorCodes, RequestCodes } from '../codes.ts';

/** Connection phases, each the one after the exchange it is named for. */
export const Phases = ['NOT_STARTED', 'AFTER_VERSION', 'AFTER_CAPABILITIES', 'NEGOTIATED'] as const;
export type Phase = (typeof Phases)[number];

/** Where a request arrived: outside sessions, or inside one before or after its handshake is done. */
export const Wheres = ['plain', 'handshake', 'psk-handshake', 'established'] as const;
export type Where = (typeof Wheres)[number];

export interface Rule {
  readonly phases: readonly Phase[];
  readonly where: readonly Where[];
}

const ANY: readonly Phase[] = Phases;
const NEGOTIATED: readonly Phase[] = ['NEGOTIATED'];
const EVERYWHERE: readonly Where[] = Wheres;
const at = (...where: readonly Where[]): Rule => ({ phases: NEGOTIATED, where });

const C = RequestCodes;
export const requestRules: Readonly<Record<number, Rule>> = {
  [C.GET_VERSION]: { phases: ANY, where: ['plain'] },
  [C.GET_CAPABILITIES]: { phases: ['AFTER_VERSION'], where: ['plain'] },
  [C.NEGOTIATE_ALGORITHMS]: { phases: ['AFTER_CAPABILITIES'], where: ['plain'] },
  [C.GET_DIGESTS]: at('plain', 'established'),
  [C.GET_CERTIFICATE]: at('plain', 'established'),
  [C.CHALLENGE]: at('plain'),
  [C.GET_MEASUREMENTS]: at('plain', 'established'),
  [C.GET_MEASUREMENT_EXTENSION_LOG]: at('plain', 'established'),
  [C.GET_ENDPOINT_INFO]: at('plain', 'established'),
  [C.KEY_EXCHANGE]: at('plain'),
  [C.FINISH]: at('handshake'),
  [C.PSK_EXCHANGE]: at('plain'),
  [C.PSK_FINISH]: at('psk-handshake'),
  [C.HEARTBEAT]: at('established'),
  [C.KEY_UPDATE]: at('established'),
  [C.END_SESSION]: at('established'),
  // With mutual authentication the requester's identity is asked for before FINISH.
  [C.GET_ENCAPSULATED_REQUEST]: at('plain', 'handshake', 'established'),
  [C.DELIVER_ENCAPSULATED_RESPONSE]: at('plain', 'handshake', 'established'),
  [C.GET_CSR]: at('plain', 'established'),
  [C.SET_CERTIFICATE]: at('plain', 'established'),
  [C.GET_KEY_PAIR_INFO]: at('plain', 'established'),
  [C.SET_KEY_PAIR_INFO]: at('plain', 'established'),
  [C.GET_SUPPORTED_EVENT_TYPES]: at('established'),
  [C.SUBSCRIBE_EVENT_TYPES]: at('established'),
  [C.SEND_EVENT]: at('established'),
  [C.VENDOR_DEFINED_REQUEST]: at('plain', 'established'),
  [C.RESPOND_IF_READY]: at(...EVERYWHERE),
  // ALGORITHMS itself may be too long.
  [C.CHUNK_SEND]: { phases: ['AFTER_CAPABILITIES', 'NEGOTIATED'], where: EVERYWHERE },
  [C.CHUNK_GET]: { phases: ['AFTER_CAPABILITIES', 'NEGOTIATED'], where: EVERYWHERE },
};

/** Undefined: legal. Else the ERROR code to answer with. */
export function illegal(code: number, phase: Phase, where: Where): number | undefined {
  const rule = requestRules[code];
  if (rule === undefined) return ErrorCodes.UnsupportedRequest;
  if (!rule.phases.includes(phase)) return ErrorCodes.UnexpectedRequest;
  if (rule.where.includes(where)) return undefined;
  return where === 'plain' ? ErrorCodes.SessionRequired : ErrorCodes.UnexpectedRequest;
}

/**
 * FINISH in a PSK handshake, PSK_FINISH in any other: taking it would skip what the right one proves, so
 * that the handshake is over besides being refused.
 */
export const endsHandshake = (code: number, where: Where): boolean =>
  (code === C.PSK_FINISH && where === 'handshake') ||
  (code === C.FINISH && where === 'psk-handshake');

/** A capability a request takes: of the responder, or of both sides. */
export interface Required {
  readonly name: CapabilityName;
  readonly of: 'responder' | 'both';
}
const its = (name: CapabilityName): Required => ({ name, of: 'responder' });
const both = (name: CapabilityName): Required => ({ name, of: 'both' });

/** Without these a responder does not take the request (DSP0274 10.3). */
export const requiredCapability: Readonly<Record<number, Required>> = {
  [C.GET_DIGESTS]: its('CERT_CAP'),
  [C.GET_CERTIFICATE]: its('CERT_CAP'),
  [C.CHALLENGE]: its('CHAL_CAP'),
  [C.GET_MEASUREMENTS]: its('MEAS_CAP'),
  [C.GET_MEASUREMENT_EXTENSION_LOG]: its('MEL_CAP'),
  [C.GET_ENDPOINT_INFO]: its('EP_INFO_CAP'),
  [C.KEY_EXCHANGE]: both('KEY_EX_CAP'),
  [C.FINISH]: both('KEY_EX_CAP'),
  [C.PSK_EXCHANGE]: both('PSK_CAP'),
  [C.PSK_FINISH]: both('PSK_CAP'),
  [C.HEARTBEAT]: both('HBEAT_CAP'),
  [C.KEY_UPDATE]: both('KEY_UPD_CAP'),
  [C.GET_ENCAPSULATED_REQUEST]: both('ENCAP_CAP'),
  [C.DELIVER_ENCAPSULATED_RESPONSE]: both('ENCAP_CAP'),
  [C.GET_CSR]: its('CSR_CAP'),
  [C.SET_CERTIFICATE]: its('SET_CERT_CAP'),
  [C.GET_KEY_PAIR_INFO]: its('GET_KEY_PAIR_INFO_CAP'),
  [C.SET_KEY_PAIR_INFO]: its('SET_KEY_PAIR_INFO_CAP'),
  [C.GET_SUPPORTED_EVENT_TYPES]: its('EVENT_CAP'),
  [C.SUBSCRIBE_EVENT_TYPES]: its('EVENT_CAP'),
  [C.CHUNK_SEND]: both('CHUNK_CAP'),
  [C.CHUNK_GET]: both('CHUNK_CAP'),
};

export function capable(code: number, responderFlags: number, requesterFlags: number): boolean {
  const required = requiredCapability[code];
  if (required === undefined) return true;
  const has = (flags: number) => capability(flags, required.name) !== 0;
  return has(responderFlags) && (required.of === 'responder' || has(requesterFlags));
}

/** The phase a good exchange leads to. */
export const nextPhase: Readonly<Record<number, Phase>> = {
  [C.GET_VERSION]: 'AFTER_VERSION',
  [C.GET_CAPABILITIES]: 'AFTER_CAPABILITIES',
  [C.NEGOTIATE_ALGORITHMS]: 'NEGOTIATED',
};
