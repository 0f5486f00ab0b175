/**
 * Getters over the bytes of one TLP: [end-end prefixes][header][payload], PCIe Base 6.x clause 2.2,
 * non-flit. Nothing here allocates, and nothing throws on bytes that `checkTlp` let pass. Local
 * prefixes, ECRC, sequence number and LCRC are not part of such an array; what IDE puts after the
 * payload may be, and no getter minds it.
 */

import { readDwBE, readDwLE } from '../codec/bytes.ts';
import { type Refusal, RefusalCodes, refuse } from '../codec/refusal.ts';
import {
  END_END_PREFIXES_MAX,
  type FlowClass,
  FlowClasses,
  MessageRoutings,
  PREFIX_BYTES,
  type Route,
  Routes,
  TLP_TYPES,
  type TlpTypeName,
  TYPE_INDEX,
  UNKNOWN_TYPE,
} from './codes.ts';

const IDE_PREFIX = 0x92;
const PREFIX_LIMIT = END_END_PREFIXES_MAX * PREFIX_BYTES;

const FLOW_BY_BYTE0 = new Uint8Array(256);
const MESSAGE_BY_BYTE0 = new Uint8Array(256);
/** Length means something: every TLP but Msg and Cpl without data */
const LENGTH_BY_BYTE0 = new Uint8Array(256);
const ROUTE_BY_BYTE0 = new Uint8Array(256);
for (let byte0 = 0; byte0 < 256; byte0++) {
  const type = TLP_TYPES[TYPE_INDEX[byte0]!];
  if (type === undefined) continue;
  const message = type.header === 'message';
  FLOW_BY_BYTE0[byte0] = type.flow;
  MESSAGE_BY_BYTE0[byte0] = message ? 1 : 0;
  LENGTH_BY_BYTE0[byte0] = type.fmt >= 2 || !(message || type.header === 'completion') ? 1 : 0;
  ROUTE_BY_BYTE0[byte0] = type.route;
  if (!message) continue;
  if ((byte0 & 7) === MessageRoutings.BY_ADDRESS) ROUTE_BY_BYTE0[byte0] = Routes.ADDRESS;
  if ((byte0 & 7) === MessageRoutings.BY_ID) ROUTE_BY_BYTE0[byte0] = Routes.ID;
}

/**
 * Whether `bytes` has the shape of a TLP: at most four end-end prefixes, a known Fmt and Type, the
 * whole header, and as much payload as Length says. `trailer` is the number of bytes after the payload
 * that the caller accounts for (an IDE TLP's PCRC and MAC); TD is not looked at, since ECRC is not part
 * of the array. Rules about the values of fields are `validate`'s.
 */
export function checkTlp(bytes: Uint8Array, trailer = 0): Refusal | undefined {
  let at = 0;
  while (at < bytes.length && (bytes[at]! & 0xe0) === 0x80) {
    if ((bytes[at]! & 0x10) === 0)
      return refuse(RefusalCodes.UNKNOWN_CODE, 'Prefix', at, 'local prefix past the link layer');
    if (at >= PREFIX_LIMIT)
      return refuse(RefusalCodes.OVER_LIMIT, 'Prefix', at, 'more than 4 end-end prefixes');
    at += PREFIX_BYTES;
  }
  if (at >= bytes.length)
    return refuse(RefusalCodes.TRUNCATED, 'Header', bytes.length, 'no header');
  const byte0 = bytes[at]!;
  if (TYPE_INDEX[byte0] === UNKNOWN_TYPE)
    return refuse(
      RefusalCodes.UNKNOWN_CODE,
      'Type',
      at,
      `Fmt ${byte0 >> 5}, Type 0x${(byte0 & 0x1f).toString(16).padStart(2, '0')}`,
    );
  const header = (byte0 & 0x20) === 0 ? 12 : 16;
  if (at + header > bytes.length)
    return refuse(
      RefusalCodes.TRUNCATED,
      'Header',
      bytes.length,
      `${header} bytes of header, ${bytes.length - at} present`,
    );
  const payload = (byte0 & 0x40) === 0 ? 0 : lengthAt(bytes, at) * 4;
  const present = bytes.length - at - header - trailer;
  if (present !== payload)
    return refuse(
      RefusalCodes.BAD_LENGTH,
      'Length',
      at + 2,
      `${payload} bytes of payload expected, ${present} present`,
    );
  return undefined;
}

function lengthAt(tlp: Uint8Array, header: number): number {
  return ((tlp[header + 2]! & 3) << 8) | tlp[header + 3]! || 1024;
}

/** Offset of header byte 0: the bytes all end-end prefixes take. */
export function headerOffset(tlp: Uint8Array): number {
  let at = 0;
  while (at < PREFIX_LIMIT && (tlp[at]! & 0xe0) === 0x80) at += PREFIX_BYTES;
  return at;
}

/** 12 or 16 bytes. */
export function headerSize(tlp: Uint8Array): number {
  return (tlp[headerOffset(tlp)]! & 0x20) === 0 ? 12 : 16;
}

export function hasData(tlp: Uint8Array): boolean {
  return (tlp[headerOffset(tlp)]! & 0x40) !== 0;
}

export function payloadOffset(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  return at + ((tlp[at]! & 0x20) === 0 ? 12 : 16);
}

/** Payload bytes by the Length field; 0 for a TLP without data. */
export function payloadSize(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  return (tlp[at]! & 0x40) === 0 ? 0 : lengthAt(tlp, at) * 4;
}

/** Prefixes, header and payload by the Length field: where a PCRC or MAC would start. */
export function tlpSize(tlp: Uint8Array): number {
  return payloadOffset(tlp) + payloadSize(tlp);
}

/** The payload, shared with `tlp`. */
export function payload(tlp: Uint8Array): Uint8Array {
  const start = payloadOffset(tlp);
  return tlp.subarray(start, start + payloadSize(tlp));
}

/**
 * DW `index` of the payload as a register value: the byte at the lowest address is bits 7:0. 0 past the
 * payload's end.
 */
export function payloadDw(tlp: Uint8Array, index = 0): number {
  if (4 * index >= payloadSize(tlp)) return 0;
  return readDwLE(tlp, payloadOffset(tlp) + 4 * index);
}

export function typeOf(tlp: Uint8Array): TlpTypeName {
  return TLP_TYPES[TYPE_INDEX[tlp[headerOffset(tlp)]!]!]!.name;
}

export function flowClass(tlp: Uint8Array): FlowClass {
  return FLOW_BY_BYTE0[tlp[headerOffset(tlp)]!] as FlowClass;
}

/** By what a switch routes the TLP; a message with a reserved routing counts as implicitly routed. */
export function routeOf(tlp: Uint8Array): Route {
  return ROUTE_BY_BYTE0[tlp[headerOffset(tlp)]!] as Route;
}

export function isMessage(tlp: Uint8Array): boolean {
  return MESSAGE_BY_BYTE0[tlp[headerOffset(tlp)]!] === 1;
}

export function trafficClass(tlp: Uint8Array): number {
  return (tlp[headerOffset(tlp) + 1]! >> 4) & 7;
}

/** Attr[2:0]: ID-based ordering, relaxed ordering, no snoop. */
export function attributes(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  return (tlp[at + 1]! & 4) | ((tlp[at + 2]! >> 4) & 3);
}

/** AT: 0 untranslated, 1 translation request, 2 translated. */
export function addressType(tlp: Uint8Array): number {
  return (tlp[headerOffset(tlp) + 2]! >> 2) & 3;
}

/** EP. */
export function poisoned(tlp: Uint8Array): boolean {
  return (tlp[headerOffset(tlp) + 2]! & 0x40) !== 0;
}

/** TD: an ECRC travels with the TLP. */
export function hasDigest(tlp: Uint8Array): boolean {
  return (tlp[headerOffset(tlp) + 2]! & 0x80) !== 0;
}

/** Length in DW, 0 read as 1024; 0 for Msg and Cpl without data, where the field means nothing. */
export function lengthDw(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  return LENGTH_BY_BYTE0[tlp[at]!] === 1 ? lengthAt(tlp, at) : 0;
}

/** Who asked: DW1 of a request, DW2 of a completion. */
export function requesterId(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  const id = FLOW_BY_BYTE0[tlp[at]!] === FlowClasses.COMPLETION ? at + 8 : at + 4;
  return (tlp[id]! << 8) | tlp[id + 1]!;
}

/** Tag[9:0], joined from its three places. */
export function tag(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  const low = FLOW_BY_BYTE0[tlp[at]!] === FlowClasses.COMPLETION ? tlp[at + 10]! : tlp[at + 6]!;
  const byte1 = tlp[at + 1]!;
  return ((byte1 & 0x80) << 2) | ((byte1 & 0x08) << 5) | low;
}

/** First DW BE of a memory, I/O or configuration request. */
export function firstBE(tlp: Uint8Array): number {
  return tlp[headerOffset(tlp) + 7]! & 0xf;
}

/** Last DW BE of the same. */
export function lastBE(tlp: Uint8Array): number {
  return tlp[headerOffset(tlp) + 7]! >> 4;
}

/**
 * Address of the first DW of a TLP routed by address, hi * 2^32 + lo: exact below 2^53, past it only
 * the low bits are rounded away, so ranges still compare sensibly.
 */
export function address(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  if ((tlp[at]! & 0x20) === 0) return (readDwBE(tlp, at + 8) & ~3) >>> 0;
  return readDwBE(tlp, at + 8) * 2 ** 32 + ((readDwBE(tlp, at + 12) & ~3) >>> 0);
}

/**
 * Where a TLP routed by ID goes: the function a configuration request or message names, or the
 * requester a completion answers. -1 for TLPs routed otherwise.
 */
export function destinationId(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  if (ROUTE_BY_BYTE0[tlp[at]!] !== Routes.ID) return -1;
  return (tlp[at + 8]! << 8) | tlp[at + 9]!;
}

/** Byte offset 0..4092 of the DW a configuration request names. */
export function registerNumber(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  return ((tlp[at + 10]! & 0x0f) << 8) | (tlp[at + 11]! & 0xfc);
}

export function completerId(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  return (tlp[at + 4]! << 8) | tlp[at + 5]!;
}

/** Completion Status as sent; values beyond SC, UR, RRS and CA are reserved. */
export function completionStatus(tlp: Uint8Array): number {
  return tlp[headerOffset(tlp) + 6]! >> 5;
}

/** Bytes left to complete a request, this completion's included; 1..4096. */
export function byteCount(tlp: Uint8Array): number {
  const at = headerOffset(tlp);
  return ((tlp[at + 6]! & 0x0f) << 8) | tlp[at + 7]! || 4096;
}

/** Low seven bits of the byte address a completion's data starts at. */
export function lowerAddress(tlp: Uint8Array): number {
  return tlp[headerOffset(tlp) + 11]! & 0x7f;
}

export function messageCode(tlp: Uint8Array): number {
  return tlp[headerOffset(tlp) + 7]!;
}

/** r[2:0] of a message. */
export function messageRouting(tlp: Uint8Array): number {
  return tlp[headerOffset(tlp)]! & 7;
}

/** Offset of the IDE prefix, which is the first end-end prefix of an IDE TLP: 0, or -1 without one. */
export function idePrefixOffset(tlp: Uint8Array): number {
  return tlp[0] === IDE_PREFIX ? 0 : -1;
}

/** Offset of the first end-end prefix whose byte 0 is `byte0`, or -1. */
export function prefixOffset(tlp: Uint8Array, byte0: number): number {
  const end = headerOffset(tlp);
  for (let at = 0; at < end; at += PREFIX_BYTES) if (tlp[at] === byte0) return at;
  return -1;
}
