/**
 * TDISP payloads as lines for a person: the fields of the message and, where a message carries a
 * structure of its own (a whole device interface report, vendor specific data), the fields of that.
 */

import { readLE } from '../codec/bytes.ts';
import { type DescribedField, describe } from '../codec/describe.ts';
import type { Layout } from '../codec/field.ts';
import { decode } from '../codec/layout.ts';
import { type Refusal, RefusalCodes, refuse } from '../codec/refusal.ts';
import { TdispErrors, TdispResponses } from './codes.ts';
import { functionIdText } from './function-id.ts';
import {
  interfaceReport,
  reportPortion,
  tdispError,
  tdispHeader,
  tdispLayout,
  vendorData,
} from './messages.ts';

export interface TdispDescription {
  /** message name, or `MessageType 0xNN` for a code without a name */
  readonly name: string;
  readonly fields: readonly DescribedField[];
  /** why the rest could not be read; the fields before it are kept */
  readonly refusal?: Refusal;
}

/** `bytes` at `offset` of the payload by `table`, as fields under `path`; none unless they fit exactly. */
function inner(table: Layout, bytes: Uint8Array, path: string, offset: number): DescribedField[] {
  if (!decode(table, bytes).ok) return [];
  return describe(table, bytes).fields.map((field) => ({
    ...field,
    path: `${path}.${field.path}`,
    offset: field.offset + offset,
  }));
}

function innerFields(payload: Uint8Array): DescribedField[] {
  const code = payload[1];
  if (code === TdispResponses.DEVICE_INTERFACE_REPORT) {
    const portion = decode(reportPortion, payload);
    // A portion does not say where it starts: only one that is a report by itself is shown as one.
    if (!portion.ok || portion.value.REMAINDER_LENGTH !== 0) return [];
    const { REPORT_BYTES: report } = portion.value;
    return inner(interfaceReport, report, 'REPORT', payload.length - report.length);
  }
  if (code === TdispResponses.TDISP_ERROR) {
    const error = decode(tdispError, payload);
    if (!error.ok || error.value.ERROR_CODE !== TdispErrors.VENDOR_SPECIFIC_ERROR) return [];
    const { EXTENDED_ERROR_DATA: extended } = error.value;
    return inner(vendorData, extended, 'EXTENDED', payload.length - extended.length);
  }
  return [];
}

/** The lines of one TDISP payload (without the protocol id byte). Never throws. */
export function describeTdisp(payload: Uint8Array): TdispDescription {
  const code = payload[1];
  if (code === undefined) {
    const cut = refuse(RefusalCodes.TRUNCATED, 'MessageType', payload.length, 'no MessageType');
    return { name: 'TDISP', ...describe(tdispHeader, payload), refusal: cut };
  }
  const table = tdispLayout(code);
  const name = table?.name ?? `MessageType 0x${code.toString(16).padStart(2, '0')}`;
  const outer = describe(table ?? tdispHeader, payload);
  const fields = outer.fields.map((field) =>
    field.path === 'INTERFACE_ID.FUNCTION_ID'
      ? { ...field, text: `${field.text} ${functionIdText(readLE(payload, field.offset, 4))}` }
      : field,
  );
  if (outer.refusal !== undefined) return { name, fields, refusal: outer.refusal };
  if (table === undefined) {
    const unknown = refuse(RefusalCodes.UNKNOWN_CODE, 'MessageType', 1, `no TDISP message ${code}`);
    return { name, fields, refusal: unknown };
  }
  fields.push(...innerFields(payload));
  const left = decode(table, payload);
  return left.ok ? { name, fields } : { name, fields, refusal: left };
}
