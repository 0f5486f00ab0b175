/**
 * What a listener knows of one side's certificates (DSP0274 10.5, 10.6): digests, chains put together from
 * portions, a provisioned public key. It outlives connections, since a requester may keep what it has
 * fetched; a digest that does not fit takes a chain away again.
 */

import { concat, equal } from '../../codec/bytes.ts';
import { type HashName, hashSizes, type SignatureName } from '../../crypto/algorithms.ts';
import { encodeCertChain } from '../../x509/spdm-chain.ts';
import { PUBLIC_KEY_SLOT_NIBBLE } from '../identity.ts';
import { leafKeyOfPublicKeyInfo } from '../leaf-key.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import type { KnownCode, MessageValue } from '../messages/registry.ts';
import type { LeafKey, ObserverOptions, Party } from './types.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;

const SLOTS = 8;
const LARGE_FORM = 0x80;
/** A chain's length has 32 bits from 1.4 on; shorter chains look the same before. */
const LARGE_LENGTH_VERSION = 0x14;

interface Portions {
  size: number;
  readonly parts: Uint8Array[];
}

const isPublicKey = (slot: number): boolean =>
  slot === PUBLIC_KEY_SLOT || slot === PUBLIC_KEY_SLOT_NIBBLE;

export class ObservedIdentity {
  readonly party: Party;
  private readonly options: ObserverOptions;
  private readonly chains = new Map<number, Uint8Array>();
  private readonly digests = new Map<number, Uint8Array>();
  private readonly fetching = new Map<number, Portions>();

  constructor(party: Party, options: ObserverOptions) {
    this.party = party;
    this.options = options;
  }

  /** DIGESTS: one per provisioned slot. */
  heardDigests({ Param2, Digest }: Value<0x01>, hash: HashName | undefined): void {
    this.digests.clear();
    let at = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      const digest = (Param2 >> slot) & 1 ? Digest[at++] : undefined;
      if (digest === undefined) continue;
      this.digests.set(slot, digest);
      const chain = this.chains.get(slot);
      if (chain === undefined || hash === undefined) continue;
      if (!equal(this.options.crypto.hash(hash, chain), digest)) this.chains.delete(slot);
    }
  }

  /** A portion of a chain, which is known with its last one. */
  heardPortion(request: Value<0x82>, answer: Value<0x02>): void {
    const slot = answer.Param1 & 15;
    const isLarge = request.LargeOffset !== undefined && (answer.Param1 & LARGE_FORM) !== 0;
    const offset = (isLarge ? request.LargeOffset : undefined) ?? request.Offset;
    const left = (isLarge ? answer.LargeRemainderLength : undefined) ?? answer.RemainderLength;
    const asksSize = (request.Param2 & 1) === 1;
    if (asksSize && answer.CertChain.length === 0) return;
    const known = offset === 0 ? { size: 0, parts: [] } : this.fetching.get(slot);
    if (known === undefined || known.size !== offset) return;
    known.size += answer.CertChain.length;
    known.parts.push(answer.CertChain);
    this.fetching.set(slot, known);
    if (left !== 0) return;
    this.fetching.delete(slot);
    this.chains.set(slot, concat(...known.parts));
  }

  /** The whole chain of a slot, if it was heard. */
  chain(slot: number): Uint8Array | undefined {
    return this.chains.get(slot);
  }

  /** The chain of a slot: as it was heard, else as it was given, unless a digest says otherwise. */
  private chainOf(slot: number, hash: HashName): Uint8Array | undefined {
    const heard = this.chains.get(slot);
    const certificates = this.options.chains?.[this.party];
    if (heard !== undefined || certificates === undefined) return heard;
    const { crypto } = this.options;
    const given = encodeCertChain(crypto, hash, LARGE_LENGTH_VERSION, certificates);
    const digest = this.digests.get(slot);
    const fits = digest === undefined || equal(crypto.hash(hash, given), digest);
    return fits ? given : undefined;
  }

  /**
   * What stands for the identity in TH: the hash of the slot's chain, else its digest; of the public key's
   * SubjectPublicKeyInfo in slot 0xFF. Undefined: neither was heard.
   */
  hash(slot: number, hash: HashName): Uint8Array | undefined {
    const { crypto, publicKeys } = this.options;
    const whole = isPublicKey(slot) ? publicKeys?.[this.party] : this.chainOf(slot, hash);
    if (whole !== undefined) return crypto.hash(hash, whole);
    const digest = this.digests.get(slot);
    return digest?.length === hashSizes[hash] ? digest : undefined;
  }

  /** The key that signs for `slot` with `wanted`, or why there is none. */
  key(slot: number, hash: HashName, wanted: SignatureName): LeafKey | string {
    const { options, party } = this;
    if (isPublicKey(slot)) {
      const der = options.publicKeys?.[party];
      if (der === undefined) return `the public key of the ${party} (slot 0xff) is not given`;
      return leafKeyOfPublicKeyInfo(der, wanted) ?? `the public key given is none of ${wanted}`;
    }
    const chain = this.chainOf(slot, hash);
    if (chain === undefined) return `no certificate chain of the ${party}'s slot ${slot} was heard`;
    const leaf = options.leafKey(chain, hashSizes[hash], wanted);
    if (leaf?.algorithm === wanted) return leaf;
    return `the leaf certificate of the ${party}'s slot ${slot} has no key of ${wanted}`;
  }
}
