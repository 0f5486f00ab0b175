/**
 * Layouts of the messages that provision certificates (DSP0274 10.25 GET_CSR, 10.26 SET_CERTIFICATE,
 * SLOT_MANAGEMENT of 1.4). Param1 and Param2 carry what 1.3 added; 1.2 reserves those bits.
 */

import { bytes, layout, lengthOf, reserved, rest, u8 } from '../../codec/field.ts';
import { header } from './header.ts';

/** Param1: KeyPairID (1.3). */
export const getCsr = layout('GET_CSR', 'DSP0274 10.25', {
  ...header,
  Param2: u8({ bits: { CertModel: [0, 3], CSRTrackingTag: [3, 3], Overwrite: [7] } }),
  RequesterInfoLength: lengthOf('RequesterInfo', 2),
  OpaqueDataLength: lengthOf('OpaqueData', 2),
  RequesterInfo: bytes((v) => v.RequesterInfoLength),
  OpaqueData: bytes((v) => v.OpaqueDataLength),
});
export const csr = layout('CSR', 'DSP0274 10.25', {
  ...header,
  CSRLength: lengthOf('CSRdata', 2),
  Reserved: reserved(2),
  CSRdata: bytes((v) => v.CSRLength),
});

/**
 * Param2: KeyPairID (1.3). The chain's own length field tells where it ends; an erase (1.3) has none.
 */
export const setCertificate = layout('SET_CERTIFICATE', 'DSP0274 10.26', {
  ...header,
  Param1: u8({ bits: { SlotID: [0, 4], SetCertModel: [4, 3], Erase: [7] } }),
  CertChain: rest(),
});
export const setCertificateRsp = layout('SET_CERTIFICATE_RSP', 'DSP0274 10.26', {
  ...header,
  Param1: u8({ bits: { SlotID: [0, 4] } }),
});

/**
 * SLOT_MANAGEMENT and its response. Only the codes and the gate (SLOT_MGMT_CAP of ExtFlags) are public;
 * the sub-commands are not, so everything after the header is kept as it came [unverified].
 */
export const slotManagement = layout('SLOT_MANAGEMENT', 'DSP0274 SLOT_MANAGEMENT', {
  ...header,
  Payload: rest(),
});
export const slotManagementResp = layout('SLOT_MANAGEMENT_RESP', 'DSP0274 SLOT_MANAGEMENT', {
  ...header,
  Payload: rest(),
});
