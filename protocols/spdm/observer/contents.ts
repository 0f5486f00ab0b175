/**
 * What is inside the byte fields of a message, by name: opaque data of key exchanges, device classes, logs,
 * events, certificates and certification requests. Nothing here is judged; bytes that are not what their
 * place says they are stay bytes.
 */

import { type DescribedField, describe } from '../../codec/describe.ts';
import type { Layout } from '../../codec/field.ts';
import { decode } from '../../codec/layout.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { parseCsr, parseRequestInfo, verifyCsr } from '../../x509/csr.ts';
import { printable } from '../../x509/describe.ts';
import { certChain, certChainLarge } from '../../x509/spdm-chain.ts';
import { parseChain } from '../../x509/split.ts';
import type { Negotiated } from '../algorithms.ts';
import { RegistryIds, RequestCodes, ResponseCodes, versionText } from '../codes.ts';
import { deviceClassIdentifiers } from '../messages/endpoint-info.ts';
import { dmtfEventDetails, dmtfEventTypeNames } from '../messages/events.ts';
import { melBlob } from '../messages/measurement-extension-log.ts';
import type { KnownCode, MessageValue } from '../messages/registry.ts';
import {
  opaqueDataFmt0,
  opaqueDataFmt1,
  readSupportedVersions,
  readVersionSelection,
} from '../opaque.ts';
import { opaqueFormat } from '../secured-versions.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;
type Fields = readonly DescribedField[];

interface Place {
  readonly fields: Fields;
  readonly negotiated: Negotiated | undefined;
  readonly crypto: CryptoProvider | undefined;
}

/** Where a field stands in the message. */
const at = ({ fields }: Place, path: string) => {
  const field = fields.find((one) => one.path === path);
  return { offset: field?.offset ?? 0, size: field?.size ?? 0 };
};

/** One thing a byte field says. */
const says = (place: Place, inside: string, name: string, text: string): DescribedField => ({
  path: `${inside}.${name}`,
  ...at(place, inside),
  text,
});

/** The fields of `bytes` by `table`, below the field `inside`; none if the bytes do not fit the table. */
function within(place: Place, inside: string, table: Layout, bytes: Uint8Array): Fields {
  const { fields, refusal } = describe(table, bytes);
  if (refusal !== undefined || !decode(table, bytes).ok) return [];
  const { offset } = at(place, inside);
  return fields.map((field) => ({
    ...field,
    path: `${inside}.${field.path}`,
    offset: offset + field.offset,
  }));
}

/** A secured message version, in the form of a VERSION entry. */
const securedVersion = (entry: number): string => versionText(entry >> 8);
const limitText = (exponent: number | undefined): string =>
  exponent === undefined ? '' : `, AEAD limit 2^${exponent}`;

/** OpaqueData of a key exchange: the secured message versions offered, or the one selected. */
function securedMessage(place: Place, opaque: Uint8Array, isRequest: boolean): Fields {
  const { negotiated } = place;
  if (negotiated === undefined || opaque.length === 0) return [];
  const format = opaqueFormat(negotiated);
  const all = within(place, 'OpaqueData', format === 1 ? opaqueDataFmt1 : opaqueDataFmt0, opaque);
  if (isRequest) {
    const offer = readSupportedVersions(opaque, format);
    if (!offer.ok || offer.value.versions.length === 0) return all;
    const { versions, aeadLimitExponent } = offer.value;
    const text = `${versions.map(securedVersion).join(', ')}${limitText(aeadLimitExponent)}`;
    return [says(place, 'OpaqueData', 'SecuredMessageVersions', text), ...all];
  }
  const choice = readVersionSelection(opaque, format);
  if (!choice.ok || choice.value.version === undefined) return all;
  const { version, aeadLimitExponent } = choice.value;
  const text = `${securedVersion(version)}${limitText(aeadLimitExponent)}`;
  return [says(place, 'OpaqueData', 'SecuredMessageVersion', text), ...all];
}

/** The general opaque data of messages outside the key exchange. */
function opaque(place: Place, bytes: Uint8Array): Fields {
  const format1 = place.negotiated?.opaqueFormat1 ?? false;
  return format1 && bytes.length > 0 ? within(place, 'OpaqueData', opaqueDataFmt1, bytes) : [];
}

/** Subjects of the certificates in a chain blob. */
function chainContents(place: Place, chain: Uint8Array): Fields {
  const { negotiated } = place;
  const form = (negotiated?.version ?? 0) >= 0x14 ? certChainLarge : certChain;
  const blob = decode(form, chain, { hashSize: negotiated?.hashSize ?? 0 }, { trailing: 'leave' });
  const certificates = blob.ok ? parseChain(blob.value.Certificates) : undefined;
  if (certificates === undefined || !certificates.ok) return [];
  return certificates.value.map(({ subject }, index) =>
    says(place, 'CertChain', `Certificates[${index}].subject`, printable(subject)),
  );
}

function csr(place: Place, der: Uint8Array): Fields {
  const request = parseCsr(der);
  if (!request.ok) return [];
  const { info, publicKey, signature } = request.value;
  const { algorithm, curve } = publicKey;
  const own = place.crypto && verifyCsr(place.crypto, request.value);
  const verdict = own === undefined ? '' : own ? ', verified' : ', WRONG';
  return [
    says(place, 'CSRdata', 'subject', printable(info.subject)),
    says(place, 'CSRdata', 'subjectPublicKeyInfo', curve ?? algorithm),
    says(place, 'CSRdata', 'signature', `${signature.algorithm}${verdict}`),
  ];
}

function requesterInfo(place: Place, der: Uint8Array): Fields {
  const info = parseRequestInfo(der);
  if (!info.ok) return [];
  return [says(place, 'RequesterInfo', 'subject', printable(info.value.subject))];
}

/** Types and details of DMTF's events. */
function events(place: Place, list: Value<0xf1>['EventsList']): Fields {
  return list.flatMap((event, index) => {
    const table = (dmtfEventDetails as Readonly<Record<number, Layout>>)[event.EventTypeID];
    if (event.ID !== RegistryIds.DMTF || table === undefined) return [];
    const path = `EventsList[${index}]`;
    const name = dmtfEventTypeNames[event.EventTypeID] ?? '';
    const { offset, size } = at(place, `${path}.EventTypeID`);
    return [
      { path: `${path}.EventType`, offset, size, text: name },
      ...within(place, `${path}.EventDetail`, table, event.EventDetail),
    ];
  });
}

/** By message code: its value as `Value<code>` has it. */
const contents: Readonly<Record<number, (place: Place, value: never) => Fields>> = {
  [RequestCodes.KEY_EXCHANGE]: (p, v: Value<0xe4>) => securedMessage(p, v.OpaqueData, true),
  [ResponseCodes.KEY_EXCHANGE_RSP]: (p, v: Value<0x64>) => securedMessage(p, v.OpaqueData, false),
  [RequestCodes.PSK_EXCHANGE]: (p, v: Value<0xe6>) => securedMessage(p, v.OpaqueData, true),
  [ResponseCodes.PSK_EXCHANGE_RSP]: (p, v: Value<0x66>) => securedMessage(p, v.OpaqueData, false),
  [ResponseCodes.CHALLENGE_AUTH]: (p, v: Value<0x03>) => opaque(p, v.OpaqueData),
  [ResponseCodes.MEASUREMENTS]: (p, v: Value<0x60>) => opaque(p, v.OpaqueData),
  [RequestCodes.GET_CSR]: (p, v: Value<0xed>) => requesterInfo(p, v.RequesterInfo),
  [ResponseCodes.CSR]: (p, v: Value<0x6d>) => csr(p, v.CSRdata),
  [RequestCodes.SET_CERTIFICATE]: (p, v: Value<0xee>) => chainContents(p, v.CertChain),
  // Whole chains only: a portion does not fit its own length.
  [ResponseCodes.CERTIFICATE]: (p, v: Value<0x02>) => chainContents(p, v.CertChain),
  [ResponseCodes.ENDPOINT_INFO]: (p, v: Value<0x07>) =>
    within(p, 'EPInfo', deviceClassIdentifiers, v.EPInfo),
  [ResponseCodes.MEASUREMENT_EXTENSION_LOG]: (p, v: Value<0x6f>) =>
    v.RemainderLength === 0 ? within(p, 'MEL', melBlob, v.MEL) : [],
  [RequestCodes.SEND_EVENT]: (p, v: Value<0xf1>) => events(p, v.EventsList),
};

/**
 * What stands inside the byte fields of a decoded message, as fields of their own. `crypto` checks what a
 * certification request says with its own key; without it that is left open.
 */
export function contentsOf(
  code: number,
  value: Record<string, unknown>,
  fields: Fields,
  negotiated: Negotiated | undefined,
  crypto?: CryptoProvider,
): Fields {
  return contents[code]?.({ fields, negotiated, crypto }, value as never) ?? [];
}
