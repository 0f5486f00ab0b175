/** No TLP payload of a Secure stream appears in clear on the link. */

import type { SimRecords } from '../../devices/records.ts';
import { toHex } from '../../protocols/codec/bytes.ts';
import { checkTlp, idePrefixOffset, payload, typeOf } from '../../protocols/tlp/index.ts';
import type { Kernel } from '../kernel/index.ts';
import { BaseChecker } from './checker.ts';

const MAC_BYTES = 12;
/** A run this long of somebody's secret does not turn up by chance. */
const WINDOW = 16;
const REMEMBERED_MAX = 100_000;
const ZEROS = toHex(new Uint8Array(WINDOW));

export class NoPlaintext extends BaseChecker {
  readonly name = 'no-plaintext';
  readonly claim = 'no payload of a Secure stream appears in clear on the link';
  /** 16-byte pieces of payloads that were sealed with T=1 or T=0 alike */
  private readonly secrets = new Set<string>();
  private readonly sealed = new Map<Uint8Array, Uint8Array>();

  constructor(kernel: Kernel<SimRecords>) {
    super(kernel);
    kernel.bus.on('ide-seal', ({ data }) => this.remember(data.payload, data.wire));
    kernel.bus.on('tlp', ({ data }) => this.onWire(data.bytes));
  }

  private remember(clear: Uint8Array, wire: Uint8Array): void {
    if (clear.length === 0) return;
    this.sealed.set(wire, clear.slice());
    for (const piece of pieces(clear))
      if (piece !== ZEROS && this.secrets.size < REMEMBERED_MAX) this.secrets.add(piece);
  }

  private onWire(bytes: Uint8Array): void {
    const ide = checkTlp(bytes, MAC_BYTES) === undefined && idePrefixOffset(bytes) >= 0;
    const body = checkTlp(bytes) === undefined || ide ? payload(bytes) : bytes;
    if (body.length === 0) return;
    const clear = this.sealed.get(bytes);
    this.sealed.delete(bytes);
    // Short payloads are compared with their own clear text only: four bytes may meet by chance.
    const same = clear !== undefined && toHex(clear) === toHex(body);
    const leak =
      !typeOf(bytes).startsWith('Cfg') && pieces(body).some((piece) => this.secrets.has(piece));
    const what =
      same || leak
        ? `a ${ide ? 'sealed' : 'plain'} ${typeOf(bytes)} shows a sealed payload`
        : undefined;
    this.look(what);
  }
}

function pieces(bytes: Uint8Array): string[] {
  const out: string[] = [];
  for (let at = 0; at + WINDOW <= bytes.length; at += WINDOW)
    out.push(toHex(bytes.subarray(at, at + WINDOW)));
  return out;
}
