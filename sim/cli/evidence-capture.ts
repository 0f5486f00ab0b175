/**
 * Evidence out of a capture: every signed MEASUREMENTS and CHALLENGE_AUTH with what it covers, in the clear
 * or in sessions that the secrets given open. A CHALLENGE and the next measurements of the same slot in the
 * same connection are one piece of evidence, since the one's summary is of the other.
 */

import { concat, equal } from '../../protocols/codec/bytes.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import type { Evidence } from '../../protocols/spdm/evidence/evidence.ts';
import { leafKeyOfChain } from '../../protocols/spdm/leaf-key.ts';
import { type ObservedSignature, SpdmObserver } from '../../protocols/spdm/observer/observer.ts';
import { type SigningContext, SigningContexts } from '../../protocols/spdm/signing.ts';
import { describeVendor } from '../../protocols/vendor/describe.ts';
import { type PcapFile, pcapFaultText, readPcap } from '../sinks/pcap.ts';
import { linkLayer } from './dump-frames.ts';
import type { DumpSecrets } from './dump-read.ts';
import type { NamedEvidence } from './evidence-file.ts';
import { type Io, UsageError } from './io.ts';

const PUBLIC_KEY_SLOT = 0x0f;

type Heard = ObservedSignature & {
  /** which two endpoints talk */
  readonly between: string;
  /** counts messages of the capture from 1 */
  readonly message: number;
};

interface HeardAll {
  readonly signatures: readonly Heard[];
  /** records that stayed sealed */
  readonly sealed: number;
}

/** All signatures of the capture in their order. */
function listen(
  pcap: PcapFile,
  file: string,
  crypto: CryptoProvider,
  secrets: DumpSecrets,
): HeardAll {
  const signatures: Heard[] = [];
  if (pcap.header === undefined) return { signatures, sealed: 0 };
  const layer = linkLayer(pcap.header.linkType, file);
  const observers = new Map<string, SpdmObserver>();
  let [message, sealed] = [0, 0];
  const observerOf = (between: string): SpdmObserver => {
    const known = observers.get(between);
    if (known !== undefined) return known;
    const fresh = new SpdmObserver({
      ...secrets,
      crypto,
      binding: layer.binding,
      // It learns the keys that IDE_KM and the like set for later sessions.
      describeVendor,
      leafKey: leafKeyOfChain,
      onSigned: (signed) => signatures.push({ ...signed, between, message }),
    });
    observers.set(between, fresh);
    return fresh;
  };
  for (const record of pcap.records) {
    const frame = layer.frame(record.bytes);
    if (frame.kind === 'piece') continue;
    message++;
    if (frame.kind === 'discovery' || frame.kind === 'other') continue;
    const { kind, payload, between } = frame;
    const observer = observerOf(between);
    const heard = kind === 'spdm' ? observer.plain(payload) : observer.secured(payload);
    if (heard.bytes === undefined) sealed++;
  }
  return { signatures, sealed };
}

const { CHALLENGE_AUTH, MUTUAL_CHALLENGE_AUTH, MEASUREMENTS } = SigningContexts;
const evidenceContexts: readonly SigningContext[] = [
  CHALLENGE_AUTH,
  MUTUAL_CHALLENGE_AUTH,
  MEASUREMENTS,
];

/** A CHALLENGE, measurements, or the former with the latter. */
interface Piece {
  readonly first: Heard;
  second?: Heard;
}

const isOfOne = (a: Heard, b: Heard): boolean =>
  a.between === b.between && a.slot === b.slot && equal(a.vca, b.vca);

function piecesOf(signatures: readonly Heard[]): Piece[] {
  const pieces: Piece[] = [];
  for (const signed of signatures) {
    if (!evidenceContexts.includes(signed.context)) continue;
    const challenge =
      signed.context === MEASUREMENTS
        ? pieces.findLast(
            ({ first, second }) =>
              second === undefined && first.context === CHALLENGE_AUTH && isOfOne(first, signed),
          )
        : undefined;
    if (challenge === undefined) pieces.push({ first: signed });
    else challenge.second = signed;
  }
  return pieces;
}

/** What the signature covers besides VCA, which measurements up to 1.1 do not start with. */
function withoutVca({ transcript, vca }: Heard): Uint8Array {
  const startsWithVca = equal(transcript.subarray(0, vca.length), vca);
  return startsWithVca ? transcript.subarray(vca.length) : transcript;
}

/** The key or chain given, else the chain that was heard. */
function signerOf(
  chain: Uint8Array | undefined,
  certificates: readonly Uint8Array[] | undefined,
  publicKey: Uint8Array | undefined,
): Partial<Evidence> {
  if (publicKey !== undefined) return { publicKey };
  if (chain !== undefined) return { chain };
  return certificates === undefined ? {} : { certificates };
}

function evidenceOf({ first, second }: Piece, secrets: DumpSecrets): Evidence {
  const all = second === undefined ? [first] : [first, second];
  const { party, slot, vca } = first;
  const chain = first.chain ?? second?.chain;
  const publicKey = slot === PUBLIC_KEY_SLOT ? secrets.publicKeys?.[party] : undefined;
  return {
    messages: concat(...all.flatMap((heard) => [withoutVca(heard), heard.signature])),
    role: party,
    ...(vca.length === 0 ? {} : { vca }),
    ...signerOf(chain, secrets.chains?.[party], publicKey),
  };
}

const contextNames = {
  [CHALLENGE_AUTH]: 'CHALLENGE_AUTH',
  [MUTUAL_CHALLENGE_AUTH]: "the requester's CHALLENGE_AUTH",
  [MEASUREMENTS]: 'MEASUREMENTS',
} as Readonly<Record<string, string>>;

function pieceName(file: string, { first, second }: Piece): string {
  const all = second === undefined ? [first] : [first, second];
  const what = all.map(({ context, message }) => `${contextNames[context]} in message ${message}`);
  return `${file}: ${what.join(', ')}`;
}

/** Whether the bytes are a classic pcap of either byte order and unit. */
export const isCapture = (bytes: Uint8Array): boolean =>
  readPcap(bytes.subarray(0, 24)).header !== undefined;

/**
 * All evidence of a capture.
 * @throws UsageError if it is damaged, of another link, or nothing in it is signed
 */
export function readCaptureEvidence(
  io: Io,
  file: string,
  crypto: CryptoProvider,
  secrets: DumpSecrets,
): NamedEvidence[] {
  const pcap = readPcap(io.readFile(file));
  if (pcap.fault !== undefined)
    throw new UsageError(`${file} is cut or damaged: ${pcapFaultText(pcap.fault)}`);
  const { signatures, sealed } = listen(pcap, file, crypto, secrets);
  const pieces = piecesOf(signatures);
  const more = `${sealed} records stayed sealed; --dhe-secret, --psk or --keylog open them`;
  if (pieces.length === 0) {
    const nothing = `no signed MEASUREMENTS or CHALLENGE_AUTH in ${file}`;
    throw new UsageError(sealed === 0 ? nothing : `${nothing}: ${more}`);
  }
  if (sealed > 0) io.err(`tdisp-sim: ${file}: ${more}\n`);
  return pieces.map((piece) => ({
    name: pieceName(file, piece),
    evidence: evidenceOf(piece, secrets),
  }));
}
