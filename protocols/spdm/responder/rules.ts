/**
 * Which request a responder takes in which state, as a table (DSP0274 10.1 and 10.12). What is not
 * legal here is refused with the named ERROR and changes nothing.
 */

import { type CapabilityName, capability, ErrorCodes, RequestCodes } from '../codes.ts';

/** Connection phases, each the one after the exchange it is named for. */
export const Phases = ['NOT_STARTED', 'AFTER_VERSION', 'AFTER_CAPABILITIES', 'NEGOTIATED'] as const;
export type Phase = (typeof Phases)[number];

/** Where a request arrived: outside sessions, or inside one before or after its handshake is done. */
export type Where = 'plain' | 'handshake' | 'established';

export interface Rule {
  readonly phases: readonly Phase[];
  readonly where: readonly Where[];
}

const ANY: readonly Phase[] = Phases;
const NEGOTIATED: readonly Phase[] = ['NEGOTIATED'];

export const requestRules: Readonly<Record<number, Rule>> = {
  [RequestCodes.GET_VERSION]: { phases: ANY, where: ['plain'] },
  [RequestCodes.GET_CAPABILITIES]: { phases: ['AFTER_VERSION'], where: ['plain'] },
  [RequestCodes.NEGOTIATE_ALGORITHMS]: { phases: ['AFTER_CAPABILITIES'], where: ['plain'] },
  [RequestCodes.GET_DIGESTS]: { phases: NEGOTIATED, where: ['plain', 'established'] },
  [RequestCodes.GET_CERTIFICATE]: { phases: NEGOTIATED, where: ['plain', 'established'] },
  [RequestCodes.CHALLENGE]: { phases: NEGOTIATED, where: ['plain'] },
  [RequestCodes.GET_MEASUREMENTS]: { phases: NEGOTIATED, where: ['plain', 'established'] },
  [RequestCodes.KEY_EXCHANGE]: { phases: NEGOTIATED, where: ['plain'] },
  [RequestCodes.FINISH]: { phases: NEGOTIATED, where: ['handshake'] },
  [RequestCodes.HEARTBEAT]: { phases: NEGOTIATED, where: ['established'] },
  [RequestCodes.END_SESSION]: { phases: NEGOTIATED, where: ['established'] },
  [RequestCodes.VENDOR_DEFINED_REQUEST]: { phases: NEGOTIATED, where: ['plain', 'established'] },
};

/** Undefined: legal. Else the ERROR code to answer with. */
export function illegal(code: number, phase: Phase, where: Where): number | undefined {
  const rule = requestRules[code];
  if (rule === undefined) return ErrorCodes.UnsupportedRequest;
  if (!rule.phases.includes(phase)) return ErrorCodes.UnexpectedRequest;
  if (rule.where.includes(where)) return undefined;
  return where === 'plain' ? ErrorCodes.SessionRequired : ErrorCodes.UnexpectedRequest;
}

/** Without this capability of the responder it does not take the request (DSP0274 10.3). */
export const requiredCapability: Readonly<Record<number, CapabilityName>> = {
  [RequestCodes.GET_DIGESTS]: 'CERT_CAP',
  [RequestCodes.GET_CERTIFICATE]: 'CERT_CAP',
  [RequestCodes.CHALLENGE]: 'CHAL_CAP',
  [RequestCodes.GET_MEASUREMENTS]: 'MEAS_CAP',
  [RequestCodes.KEY_EXCHANGE]: 'KEY_EX_CAP',
  [RequestCodes.HEARTBEAT]: 'HBEAT_CAP',
};

export function capable(code: number, responderFlags: number): boolean {
  const name = requiredCapability[code];
  return name === undefined || capability(responderFlags, name) !== 0;
}

/** The phase a good exchange leads to. */
export const nextPhase: Readonly<Record<number, Phase>> = {
  [RequestCodes.GET_VERSION]: 'AFTER_VERSION',
  [RequestCodes.GET_CAPABILITIES]: 'AFTER_CAPABILITIES',
  [RequestCodes.NEGOTIATE_ALGORITHMS]: 'NEGOTIATED',
};
