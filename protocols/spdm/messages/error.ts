/**
 * Layouts of ERROR and of RESPOND_IF_READY (DSP0274 10.9). Extended data whose form the specification
 * fixes has named fields; any other is in ExtendedErrorData. A sender may give ExtendedErrorData for
 * every code: it is then written as it is, so that faults can be injected.
 */

import {
  bytes,
  layout,
  lengthOf,
  list,
  type Rule,
  rest,
  type Scope,
  u8,
  u32,
  when,
} from '../../codec/field.ts';
import { codeNames, ErrorCodes, errorNames } from '../codes.ts';
import { header } from './header.ts';

const decodedCodes: readonly number[] = [
  ErrorCodes.ResponseTooLarge,
  ErrorCodes.LargeResponse,
  ErrorCodes.DataTooLarge,
  ErrorCodes.ResponseNotReady,
  ErrorCodes.VendorDefined,
];

/** Never set while decoding: the field stands last. */
const givenRaw = (v: Scope): boolean => v.ExtendedErrorData !== undefined;
const isCode =
  (code: number): Rule<boolean> =>
  (v) =>
    v.Param1 === code && !givenRaw(v);
const notReady = isCode(ErrorCodes.ResponseNotReady);
const vendor = isCode(ErrorCodes.VendorDefined);
const ONE_LENGTH_MAX = 1;

export const error = layout(
  'ERROR',
  'DSP0274 10.9',
  {
    ...header,
    Param1: u8({ names: errorNames }),
    // ResponseNotReady: wait 2^RDTExponent microseconds, give up after RDTM times that
    RDTExponent: when(notReady, u8()),
    RequestCode: when(notReady, u8({ names: codeNames })),
    Token: when(notReady, u8()),
    RDTM: when(notReady, u8()),
    /** ResponseTooLarge: bytes the response would have had */
    ActualSize: when(isCode(ErrorCodes.ResponseTooLarge), u32()),
    /** LargeResponse: handle for CHUNK_GET */
    Handle: when(isCode(ErrorCodes.LargeResponse), u8()),
    /** DataTooLarge: bytes of the data, if the sender says; none or one */
    DataLength: when(isCode(ErrorCodes.DataTooLarge), list(u32(), { toEnd: true })),
    // VendorDefined: the standards body's registry number is in Param2
    VendorIDLen: when(vendor, lengthOf('VendorID', 1)),
    VendorID: when(
      vendor,
      bytes((v) => v.VendorIDLen),
    ),
    OpaqueErrorData: when(vendor, rest()),
    ExtendedErrorData: when((v) => givenRaw(v) || !decodedCodes.includes(v.Param1), rest()),
  },
  (v) =>
    (v.DataLength?.length ?? 0) > ONE_LENGTH_MAX ? 'DataTooLarge names one length' : undefined,
);

/** Asks again for a response that was not ready: Param1 is the original request's code, Param2 the token. */
export const respondIfReady = layout('RESPOND_IF_READY', 'DSP0274 10.9', {
  ...header,
  Param1: u8({ names: codeNames }),
});
