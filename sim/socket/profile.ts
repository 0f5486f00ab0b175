/**
 * What a responder on a socket does where there is no SPDM answer, by who is at the other end. The DMTF
 * emulators read an end of the stream and stop; QEMU's whole virtual machine stands still until an
 * answer comes and never connects again, so there an empty one is the kindest: the guest's DOE times out.
 */

/** What to do with the request at hand. */
export type Reaction =
  /** no frame at all */
  | 'nothing'
  /** a frame of the same command without payload */
  | 'empty'
  /** the end of the connection */
  | 'close';

export const Situations = {
  /** the engine meets the request with silence */
  SILENCE: 'SILENCE',
  /** well formed, but of a data object or message type nobody here speaks */
  FOREIGN: 'FOREIGN',
  /** bytes that are no object or message of the transport */
  UNDECODABLE: 'UNDECODABLE',
  /** payload above the limit */
  OVERSIZE: 'OVERSIZE',
  /** a frame of another transport than is served */
  TRANSPORT_MISMATCH: 'TRANSPORT_MISMATCH',
  /** an answer longer than the peer can take: our configuration is wrong */
  ANSWER_TOO_LARGE: 'ANSWER_TOO_LARGE',
  /** the engine threw: our own fault */
  OWN_FAULT: 'OWN_FAULT',
} as const;
export type Situation = keyof typeof Situations;

export interface SocketProfile {
  readonly name: SocketProfileName;
  readonly reactions: Readonly<Record<Situation, Reaction>>;
  /** after UNKNOWN was answered to a command that is none */
  readonly unknownCommand: 'stay' | 'close';
  /** most bytes of payload in an answer */
  readonly answerBytesMax: number;
  /** largest DataTransferSize an engine behind this profile may announce */
  readonly dataTransferSizeMax: number;
  /** most bytes of one SPDM message or record in an answer; undefined: as many as the peer takes */
  readonly transmitSize?: number;
}
export type SocketProfileName = 'emu' | 'qemu';

/** QEMU's mailbox takes no longer data object, its header of 8 bytes included, and loses step if it gets one. */
const QEMU_OBJECT_BYTES_MAX = 4608;
const DOE_HEADER_BYTES = 8;

export const socketProfiles: Readonly<Record<SocketProfileName, SocketProfile>> = {
  /** as spdm_responder_emu, but for going on to serve */
  emu: {
    name: 'emu',
    reactions: {
      SILENCE: 'nothing',
      FOREIGN: 'close',
      UNDECODABLE: 'close',
      OVERSIZE: 'close',
      TRANSPORT_MISMATCH: 'close',
      ANSWER_TOO_LARGE: 'close',
      OWN_FAULT: 'close',
    },
    unknownCommand: 'close',
    answerBytesMax: Number.POSITIVE_INFINITY,
    dataTransferSizeMax: Number.POSITIVE_INFINITY,
  },
  /** exactly one answer to every frame, whatever comes */
  qemu: {
    name: 'qemu',
    reactions: {
      SILENCE: 'empty',
      FOREIGN: 'empty',
      UNDECODABLE: 'empty',
      OVERSIZE: 'empty',
      TRANSPORT_MISMATCH: 'empty',
      ANSWER_TOO_LARGE: 'empty',
      OWN_FAULT: 'empty',
    },
    unknownCommand: 'stay',
    answerBytesMax: QEMU_OBJECT_BYTES_MAX,
    dataTransferSizeMax: QEMU_OBJECT_BYTES_MAX - DOE_HEADER_BYTES,
    transmitSize: QEMU_OBJECT_BYTES_MAX - DOE_HEADER_BYTES,
  },
};
