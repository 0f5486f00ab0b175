/**
 * From a captured packet to what it carries: a DOE data object (link type 292, PCIe Base 6.x 6.30) or
 * an MCTP packet (link type 291, DSP0236). Everything above is the same on both.
 */

import { type Refusal, RefusalCodes, refuse } from '../../protocols/codec/refusal.ts';
import {
  DoeTypes,
  decodeObject,
  objectTypeName,
  VENDOR_PCI_SIG,
} from '../../protocols/doe/object.ts';
import { MctpAssembler, MctpMessageTypes } from '../../protocols/mctp/packet.ts';
import {
  doeBinding,
  mctpBinding,
  type RecordBinding,
} from '../../protocols/spdm/secured-message.ts';
import { LinkTypes } from '../sinks/pcap.ts';
import { UsageError } from './io.ts';

export type Frame =
  | { readonly kind: 'discovery'; readonly payload: Uint8Array }
  | {
      readonly kind: 'spdm' | 'secured';
      readonly payload: Uint8Array;
      /** which two endpoints talk, where the link carries several connections */
      readonly between: string;
    }
  /** something else on the same link, or bytes that are no packet of it */
  | { readonly kind: 'other'; readonly name: string; readonly refusal: Refusal }
  /** a piece of a message that a later packet ends */
  | { readonly kind: 'piece' };

export interface LinkLayer {
  readonly name: 'DOE' | 'MCTP';
  readonly binding: RecordBinding;
  readonly frame: (bytes: Uint8Array) => Frame;
  /** messages that began in pieces and never came to their end */
  readonly unfinished: () => number;
}

function doeFrame(bytes: Uint8Array): Frame {
  const object = decodeObject(bytes);
  if (!object.ok) return { kind: 'other', name: 'DOE object', refusal: object };
  const { payload, ...type } = object.value;
  if (type.VendorID === VENDOR_PCI_SIG) {
    if (type.DataObjectType === DoeTypes.DISCOVERY) return { kind: 'discovery', payload };
    if (type.DataObjectType === DoeTypes.CMA_SPDM) return { kind: 'spdm', payload, between: '' };
    if (type.DataObjectType === DoeTypes.SECURED_CMA_SPDM)
      return { kind: 'secured', payload, between: '' };
  }
  const name = `DOE ${objectTypeName(type)}`;
  const refusal = refuse(RefusalCodes.UNKNOWN_CODE, 'DataObjectType', 2, 'not SPDM');
  return { kind: 'other', name, refusal };
}

function mctpLayer(): LinkLayer {
  const assembler = new MctpAssembler();
  const frame = (bytes: Uint8Array): Frame => {
    const message = assembler.take(bytes);
    if (!message.ok) return { kind: 'other', name: 'MCTP packet', refusal: message };
    if (message.type === undefined) return { kind: 'piece' };
    const { body: payload, type, source, destination } = message;
    const between = `${Math.min(source, destination)}-${Math.max(source, destination)}`;
    if (type === MctpMessageTypes.SPDM) return { kind: 'spdm', payload, between };
    if (type === MctpMessageTypes.SECURED) return { kind: 'secured', payload, between };
    const refusal = refuse(RefusalCodes.UNKNOWN_CODE, 'MessageType', 4, 'not SPDM');
    return { kind: 'other', name: `MCTP message type ${type}`, refusal };
  };
  return { name: 'MCTP', binding: mctpBinding, frame, unfinished: () => assembler.unfinished };
}

/** The layer a capture's link type stands for. @throws UsageError for any other */
export function linkLayer(linkType: number, file: string): LinkLayer {
  if (linkType === LinkTypes.PCI_DOE)
    return { name: 'DOE', binding: doeBinding, frame: doeFrame, unfinished: () => 0 };
  if (linkType === LinkTypes.MCTP) return mctpLayer();
  throw new UsageError(
    `cannot decode ${file}: link type ${linkType}; captures of link type ` +
      `${LinkTypes.PCI_DOE} (PCI_DOE) and ${LinkTypes.MCTP} (MCTP) can be`,
  );
}
