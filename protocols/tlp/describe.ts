/**
 * One line per TLP for logs and dumps: type, who, tag, where, how much, then the prefixes, as
 * `MWr64 01:00.1 tag 3 addr 0x200000000 64 B, IDE stream 1 PR K0 T M`. Never throws.
 */

import { refusalText } from '../codec/refusal.ts';
import {
  bdf,
  COMPLETION_STATUS_NAMES,
  MESSAGE_ROUTING_NAMES,
  messageByCode,
  PREFIX_BYTES,
  prefixByByte0,
  Routes,
  SUB_STREAM_NAMES,
} from './codes.ts';
import { IDE_PREFIX, PASID_PREFIX, pasidPrefix, readIdePrefix } from './ide-prefix.ts';
import { isMemoryTransfer, transferAddress, transferBytes } from './transfer.ts';
import {
  byteCount,
  checkTlp,
  completerId,
  completionStatus,
  destinationId,
  firstBE,
  flowClass,
  hasData,
  headerOffset,
  isMessage,
  lowerAddress,
  messageCode,
  messageRouting,
  payloadDw,
  payloadSize,
  poisoned,
  registerNumber,
  requesterId,
  routeOf,
  tag,
  tlpSize,
  trafficClass,
  typeOf,
} from './view.ts';

const hex = (value: number, digits = 1): string => `0x${value.toString(16).padStart(digits, '0')}`;

function idePrefixText(tlp: Uint8Array, at: number): string {
  const { streamId, subStream, prSentCounter, tee, mac, pcrc, keySet } = readIdePrefix(tlp, at);
  const words = [
    `IDE stream ${streamId}`,
    SUB_STREAM_NAMES[subStream] ?? `sub-stream ${subStream}`,
  ];
  if (prSentCounter !== 0) words.push(`PR_Sent ${prSentCounter}`);
  words.push(`K${keySet}`);
  if (tee) words.push('T');
  if (mac) words.push('M');
  if (pcrc) words.push('P');
  return words.join(' ');
}

function pasidText(tlp: Uint8Array): string {
  const prefix = pasidPrefix(tlp);
  if (prefix === undefined) return 'PASID';
  const flags = `${prefix.executeRequested ? ' ER' : ''}${prefix.privilegedModeRequested ? ' PMR' : ''}`;
  return `PASID ${hex(prefix.pasid, 5)}${flags}`;
}

function prefixTexts(tlp: Uint8Array): string[] {
  const out: string[] = [];
  for (let at = 0; at < headerOffset(tlp); at += PREFIX_BYTES) {
    const byte0 = tlp[at]!;
    if (byte0 === IDE_PREFIX) out.push(idePrefixText(tlp, at));
    else if (byte0 === PASID_PREFIX) out.push(pasidText(tlp));
    else out.push(prefixByByte0(byte0)?.name ?? `prefix ${hex(byte0, 2)}`);
  }
  return out;
}

function messageText(tlp: Uint8Array): string {
  const code = messageCode(tlp);
  const routing = messageRouting(tlp);
  const name = messageByCode(code)?.name ?? `message ${hex(code, 2)}`;
  const way = MESSAGE_ROUTING_NAMES[routing] ?? `routing ${routing}`;
  const to = routeOf(tlp) === Routes.ID ? ` ${bdf(destinationId(tlp))}` : '';
  const data = hasData(tlp) ? ` ${payloadSize(tlp)} B` : '';
  return `${bdf(requesterId(tlp))} ${name} ${way}${to}${data}`;
}

function completionText(tlp: Uint8Array): string {
  const status = completionStatus(tlp);
  const from = `${bdf(completerId(tlp))} to ${bdf(requesterId(tlp))} tag ${tag(tlp)}`;
  const name = COMPLETION_STATUS_NAMES[status] ?? `status ${status}`;
  const data = hasData(tlp) ? ` ${payloadSize(tlp)} B` : '';
  return `${from} ${name} count ${byteCount(tlp)} lower ${hex(lowerAddress(tlp), 2)}${data}`;
}

function configText(tlp: Uint8Array): string {
  const value = hasData(tlp) ? ` = ${hex(payloadDw(tlp), 8)}` : '';
  const enables = firstBE(tlp) === 0xf ? '' : ` be ${hex(firstBE(tlp))}`;
  const where = `${bdf(destinationId(tlp))} reg ${hex(registerNumber(tlp), 3)}`;
  return `${bdf(requesterId(tlp))} tag ${tag(tlp)} ${where}${enables}${value}`;
}

function requestText(tlp: Uint8Array): string {
  const size = isMemoryTransfer(tlp) || !hasData(tlp) ? transferBytes(tlp) : payloadSize(tlp);
  const who = `${bdf(requesterId(tlp))} tag ${tag(tlp)}`;
  return `${who} addr ${hex(transferAddress(tlp))} ${size} B`;
}

function bodyText(tlp: Uint8Array): string {
  if (isMessage(tlp)) return messageText(tlp);
  if (flowClass(tlp) === 2) return completionText(tlp);
  return routeOf(tlp) === Routes.ID ? configText(tlp) : requestText(tlp);
}

/**
 * One line about any bytes. What follows the payload is counted as a trailer (an IDE TLP's MAC); bytes
 * that are no TLP get the refusal's words.
 */
export function describeTlp(tlp: Uint8Array): string {
  const strict = checkTlp(tlp);
  const extra = strict?.path === 'Length' ? tlp.length - tlpSize(tlp) : 0;
  const refusal = extra > 0 ? undefined : strict;
  if (refusal !== undefined) return `no TLP: ${refusalText(refusal)}`;
  const words = [`${typeOf(tlp)} ${bodyText(tlp)}`];
  if (trafficClass(tlp) !== 0) words.push(`TC${trafficClass(tlp)}`);
  if (poisoned(tlp)) words.push('poisoned');
  words.push(...prefixTexts(tlp));
  if (extra > 0) words.push(`+${extra} B`);
  return words.join(', ');
}

export { bdf };
