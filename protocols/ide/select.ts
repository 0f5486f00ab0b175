/**
 * Which stream a TLP belongs to on transmit (PCIe Base 6.x clause 6.33.4): a Selective stream whose
 * association it matches, else the Default Stream of its TC, else the Link stream of its TC, else none.
 *
 * Choices: messages with a local, broadcast or gathered routing end at or before the next port and
 * stay off Selective streams; RID associations compare bus, device and function only, as non-flit
 * TLPs carry no segment; T=1 needs a Selective stream, since a Link stream ends at the next port.
 */

import { MessageRoutings, Routes, type TlpTypeName } from '../tlp/codes.ts';
import {
  address,
  destinationId,
  isMessage,
  messageRouting,
  routeOf,
  trafficClass,
  typeOf,
} from '../tlp/view.ts';
import type { IdeStream } from './stream.ts';

const NEVER_IDE: ReadonlySet<TlpTypeName> = new Set<TlpTypeName>([
  'IORd',
  'IOWr',
  'CfgRd0',
  'CfgWr0',
]);
const CONFIG: ReadonlySet<TlpTypeName> = new Set<TlpTypeName>(['CfgRd1', 'CfgWr1']);
const SELECTIVE_ROUTINGS: ReadonlySet<number> = new Set([
  MessageRoutings.TO_ROOT_COMPLEX,
  MessageRoutings.BY_ADDRESS,
  MessageRoutings.BY_ID,
]);

/** Whether a TLP of this type and routing may be an IDE TLP of a stream of this kind. */
export function allowedOnStream(tlp: Uint8Array, kind: IdeStream['kind']): boolean {
  if (NEVER_IDE.has(typeOf(tlp))) return false;
  return kind === 'link' || !isMessage(tlp) || SELECTIVE_ROUTINGS.has(messageRouting(tlp));
}

function associated(stream: IdeStream, tlp: Uint8Array, config: boolean): boolean {
  if (config && !stream.forConfigRequests) return false;
  return routeOf(tlp) === Routes.ADDRESS
    ? stream.coversAddress(address(tlp))
    : stream.coversId(destinationId(tlp));
}

/**
 * The enabled stream that a checked request TLP, which is no completion, must use; undefined if it
 * goes without IDE. Whether that stream is Secure is the caller's question.
 */
export function selectStream(
  streams: readonly IdeStream[],
  tlp: Uint8Array,
  tee: boolean,
): IdeStream | undefined {
  const tc = trafficClass(tlp);
  const usable = streams.filter(
    (s) => s.enabled && s.tc === tc && (tee || !s.teeLimited) && allowedOnStream(tlp, s.kind),
  );
  const config = CONFIG.has(typeOf(tlp));
  const selective = usable.filter((s) => s.kind === 'selective');
  return (
    selective.find((s) => associated(s, tlp, config)) ??
    (config ? undefined : selective.find((s) => s.defaultStream)) ??
    (tee ? undefined : usable.find((s) => s.kind === 'link'))
  );
}
