/**
 * The one PLDM conversation that the DMTF requester emulator has inside a session over MCTP: who are you
 * (PLDM Base, DSP0240, GetTID). Everything else is answered with
 * the completion code for commands nobody here knows.
 */

const PLDM = 0x01;
const REQUEST = 0x80;
const INSTANCE_ID = 0x1f;
const TYPE = 0x3f;
const BASE = 0x00;
const GET_TID = 0x02;
const HEAD_SIZE = 4;
const CompletionCodes = { SUCCESS: 0x00, UNSUPPORTED_PLDM_CMD: 0x05 } as const;
/** TID of a terminus nobody has assigned one to. */
const TID = 0x00;

/** The answer to an MCTP message of a session, its type byte in front; undefined: silence. */
export function answerPldm(message: Uint8Array): Uint8Array | undefined {
  const [messageType, instance = 0, type = 0, command = 0] = message;
  const isRequest = (instance & REQUEST) !== 0;
  if (messageType !== PLDM || message.length < HEAD_SIZE || !isRequest) return undefined;
  const head = [PLDM, instance & INSTANCE_ID, type, command];
  const { SUCCESS, UNSUPPORTED_PLDM_CMD } = CompletionCodes;
  const known = (type & TYPE) === BASE && command === GET_TID && message.length === HEAD_SIZE;
  return Uint8Array.from(known ? [...head, SUCCESS, TID] : [...head, UNSUPPORTED_PLDM_CMD]);
}
