/**
 * The header of PLDM messages (DSP0240), which may travel next to SPDM in an MCTP secured session: told
 * apart and named, their payload left as bytes.
 */

import { type DescribedField, describe } from '../codec/describe.ts';
import { layout, type Names, rest, u8, when } from '../codec/field.ts';
import type { Refusal } from '../codec/refusal.ts';

const RQ = 0x80;
const TYPE_MASK = 0x3f;

/** PLDM types (DSP0245). */
const typeNames: Names = {
  0: 'messaging control and discovery',
  1: 'SMBIOS',
  2: 'platform monitoring and control',
  3: 'BIOS control and configuration',
  4: 'FRU data',
  5: 'firmware update',
  6: 'redfish device enablement',
};

/** Commands of type 0 (DSP0240 table "PLDM messaging control and discovery command codes"). */
const controlCommandNames: Names = {
  1: 'SetTID',
  2: 'GetTID',
  3: 'GetPLDMVersion',
  4: 'GetPLDMTypes',
  5: 'GetPLDMCommands',
};

export const pldmMessage = layout('PLDM', 'DSP0240', {
  InstanceID: u8({ bits: { InstanceID: [0, 5], D: [6], Rq: [7] } }),
  PLDMType: u8({ bits: { PLDMType: [0, 6], HdrVer: [6, 2] } }),
  PLDMCommandCode: u8(),
  PLDMCompletionCode: when((v) => (v.InstanceID & RQ) === 0, u8()),
  Payload: rest(),
});

export interface PldmDescription {
  readonly name: string;
  readonly request: boolean;
  readonly fields: readonly DescribedField[];
  readonly refusal?: Refusal;
}

/** One PLDM message without its MCTP message type byte. Never throws on the bytes. */
export function describePldm(bytes: Uint8Array): PldmDescription {
  const [instance = 0, type = 0, command = 0] = bytes;
  const pldmType = type & TYPE_MASK;
  const commandName = pldmType === 0 ? controlCommandNames[command] : undefined;
  const name =
    commandName ?? `command 0x${command.toString(16)} of ${typeNames[pldmType] ?? pldmType}`;
  return { name: `PLDM ${name}`, request: (instance & RQ) !== 0, ...describe(pldmMessage, bytes) };
}
