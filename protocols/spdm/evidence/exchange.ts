/** What signed requests and their answers say of each other: nonce, slot and RequesterContext. */

import { equal, toHex } from '../../codec/bytes.ts';
import { EvidenceFaults, note, passed } from './check.ts';
import type { Evidence, Examination } from './examination.ts';
import type { SignedMessages } from './take-apart.ts';

const SLOT_MASK = 0x0f;
const EMPTY = new Uint8Array(0);

const isBytes = (nonce: Evidence['nonce']): nonce is Uint8Array => nonce instanceof Uint8Array;
/** The nonces the relying party sent. */
export const noncesOf = ({ nonce }: Evidence): readonly Uint8Array[] =>
  nonce === undefined ? [] : isBytes(nonce) ? [nonce] : nonce;

interface Asked {
  readonly what: string;
  readonly nonce: Uint8Array | undefined;
  readonly slots: readonly [asked: number, answered: number];
  readonly context: Uint8Array | undefined;
  readonly returned: Uint8Array | undefined;
}

/** The signed requests with what their answers must say of them. */
function askedOf({ challenge, record }: SignedMessages): Asked[] {
  const all: Asked[] = [];
  if (challenge !== undefined)
    all.push({
      what: 'challenge ',
      nonce: challenge.request.Nonce,
      slots: [challenge.request.Param1, challenge.response.Param1],
      context: challenge.request.RequesterContext,
      returned: challenge.response.RequesterContext,
    });
  if (record !== undefined)
    all.push({
      what: '',
      nonce: record.last.request.Nonce,
      slots: [record.last.request.SlotIDParam ?? 0, record.last.response.Param2],
      context: record.last.request.RequesterContext,
      returned: record.last.response.RequesterContext,
    });
  return all;
}

/** What requests and answers say of each other. */
export function checkExchanges(at: Examination, parts: SignedMessages): void {
  const expected = noncesOf(at.evidence);
  const all = askedOf(parts);
  for (const { what, nonce = EMPTY, slots, context, returned } of all) {
    if (expected.some((one) => equal(one, nonce)))
      at.checks.push(passed(`${what}nonce`, toHex(nonce)));
    else if (expected.length > 0) {
      const wanted = expected.map(toHex).join(' or ');
      const detail = `asked with ${toHex(nonce)}, not ${wanted}`;
      at.refuse(`${what}nonce`, EvidenceFaults.NONCE, detail);
    }
    const [asked, answered] = slots.map((slot) => slot & SLOT_MASK);
    if (asked !== answered)
      at.refuse(`${what}slot`, EvidenceFaults.SLOT, `asked ${asked}, answered ${answered}`);
    if (context !== undefined && !equal(context, returned ?? EMPTY))
      at.refuse(`${what}context`, EvidenceFaults.CONTEXT, 'RequesterContext came back changed');
  }
  if (expected.length === 0)
    at.notes.push(note('FRESHNESS_UNKNOWN', 'no nonce is expected: this may be old evidence'));
  const [first, second] = all.map(({ slots }) => slots[0] & SLOT_MASK);
  if (second !== undefined && first !== second)
    at.refuse('slot', EvidenceFaults.SLOT, `challenge of ${first}, measurements of ${second}`);
}
