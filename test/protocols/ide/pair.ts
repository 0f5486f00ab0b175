/** A root port and an endpoint with one Selective stream between them, keyed through IDE_KM bytes. */

import * as assert from 'uvu/assert';
import { isPeerFault, LocalError } from '../../../protocols/codec/refusal.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import type { CryptoProvider } from '../../../protocols/crypto/provider.ts';
import type { Effect, VendorExchange } from '../../../protocols/engine.ts';
import {
  encodeAddressAssociation,
  encodeRidAssociation,
  goStream,
  IdekmResponder,
  IdePort,
  type IdePortOptions,
  type KeySet,
  keyStream,
  type PortKeys,
  partnerKeys,
  type Received,
  registerValue,
  StreamControl,
  type Transmitted,
} from '../../../protocols/ide/index.ts';

export const RP_ID = 0x0008;
export const EP_ID = 0x0100;
export const STREAM_ID = 0x21;
export const SESSION = 0xffff0001;
export const MMIO_BASE = 0x8_0000_0000;
export const MMIO_LIMIT = 0x8_0fff_ffff;

/** Selective block 0 of a port without Link streams. */
export const AT = { CONTROL: 0x10, STATUS: 0x14, RID1: 0x18, RID2: 0x1c, ADDRESS: 0x20 } as const;

type Fields = Parameters<typeof registerValue<typeof StreamControl>>[1];
export const control = (fields: Fields) =>
  registerValue(StreamControl, { StreamId: STREAM_ID, ...fields });

/** For `assert.throws`: our own mistake, naming `argument`. */
export const local = (argument: string) => (e: unknown) =>
  e instanceof LocalError && e.message.startsWith(`${argument}:`);

/** A 32-byte key that differs in every byte of `seed`. */
export const testKey = (seed: number) =>
  Uint8Array.from({ length: 32 }, (_, i) => (seed * 37 + i * 11 + 5) & 0xff);
/** The endpoint's keys; the root port has the same ones the other way round. */
export const endpointKeys = (seed: number): PortKeys => ({
  RX: [testKey(seed), testKey(seed + 1), testKey(seed + 2)],
  TX: [testKey(seed + 3), testKey(seed + 4), testKey(seed + 5)],
});

/** Runs an exchange against a responder in a session; a fault fails the test. */
export function run<T>(
  exchange: VendorExchange<T>,
  responder: IdekmResponder,
  session: number | undefined = SESSION,
  effects: Effect[] = [],
): T {
  let step = exchange.next();
  while (step.done !== true) {
    const outcome = responder.handle(step.value, session);
    effects.push(...outcome.effects);
    assert.instance(outcome.reply, Uint8Array, `no answer: ${JSON.stringify(outcome.reply)}`);
    step = exchange.next(outcome.reply as Uint8Array);
  }
  if (isPeerFault(step.value)) throw new Error(`${step.value.code}: ${step.value.detail}`);
  return step.value;
}

export class Pair {
  readonly rp: IdePort;
  readonly ep: IdePort;
  readonly rpKm: IdekmResponder;
  readonly epKm: IdekmResponder;

  constructor(overrides: Partial<IdePortOptions> = {}, crypto: CryptoProvider = nodeProvider) {
    const selective = [{ addressAssociations: 1 }];
    const common = { crypto, selective };
    this.rp = new IdePort({ ...common, role: 'root-port', rid: RP_ID, ...overrides });
    this.ep = new IdePort({ ...common, role: 'endpoint', rid: EP_ID, ...overrides });
    this.rpKm = new IdekmResponder({ ports: [this.rp] });
    this.epKm = new IdekmResponder({ ports: [this.ep] });
  }

  /** Associations and Control without Enable, as a host writes them before keys. */
  configure(rp: Fields = {}, ep: Fields = { DefaultStream: 1 }): this {
    const rids = { rp: [EP_ID, EP_ID + 7], ep: [RP_ID, RP_ID] } as const;
    for (const [port, [base, limit]] of [
      [this.rp, rids.rp],
      [this.ep, rids.ep],
    ] as const) {
      const [rid1, rid2] = encodeRidAssociation({ base, limit });
      port.write(AT.RID1, rid1);
      port.write(AT.RID2, rid2);
    }
    const mmio = encodeAddressAssociation({ base: MMIO_BASE, limit: MMIO_LIMIT });
    for (const [i, dw] of mmio.entries()) this.rp.write(AT.ADDRESS + 4 * i, dw);
    this.rp.write(AT.CONTROL, control(rp));
    this.ep.write(AT.CONTROL, control(ep));
    return this;
  }

  key(keySet: KeySet, seed: number): this {
    const target = { portIndex: 0, streamId: STREAM_ID, keySet };
    run(keyStream(target, endpointKeys(seed)), this.epKm);
    run(keyStream(target, partnerKeys(endpointKeys(seed))), this.rpKm);
    return this;
  }

  go(keySet: KeySet): this {
    const target = { portIndex: 0, streamId: STREAM_ID, keySet };
    for (const direction of ['RX', 'TX'] as const)
      for (const km of [this.epKm, this.rpKm]) run(goStream(target, direction), km);
    return this;
  }

  /** Sets Enable, the device first. */
  enable(): this {
    for (const port of [this.ep, this.rp]) port.write(AT.CONTROL, port.read(AT.CONTROL) | 1);
    return this;
  }

  secure(seed = 1): this {
    this.configure().key(0, seed).go(0).enable();
    assert.is(this.rp.read(AT.STATUS), 2);
    assert.is(this.ep.read(AT.STATUS), 2);
    return this;
  }
}

/** The TLPs of a transmission that was not held back. */
export function wires(sent: Transmitted): readonly Uint8Array[] {
  if (sent.kind === 'blocked') throw new Error(`blocked: ${sent.code}`);
  return sent.tlps;
}
/** The last TLP: after an IDE_Sync, if there was one. */
export const wire = (sent: Transmitted): Uint8Array => wires(sent).at(-1)!;

export function accepted(got: Received): Extract<Received, { kind: 'ide' }> {
  if (got.kind !== 'ide')
    throw new Error(`${got.kind} ${got.kind === 'refused' ? `${got.code}: ${got.reason}` : ''}`);
  return got;
}
export function refused(got: Received): Extract<Received, { kind: 'refused' }> {
  if (got.kind !== 'refused') throw new Error(`expected a refusal, got ${got.kind}`);
  return got;
}
