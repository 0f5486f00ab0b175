/**
 * SET_KEY_PAIR_INFO as a change of the store (DSP0274, SET_KEY_PAIR_INFO): what each operation may do to
 * a key pair, by its capabilities. A desired usage or algorithm of 0 leaves the current one; a desired
 * slot mask counts as it stands.
 */

import { popcount } from '../../codec/bytes.ts';
import { KeyPairOperations } from '../messages/key-pairs.ts';
import { type KeyKind, kindOfMasks } from './kinds.ts';
import {
  type Change,
  canDo,
  failedChange,
  invalidChange,
  isRefusal,
  type KeyPair,
  keyPairOf,
  otherOwner,
  type StoreRefusal,
  type Tables,
  withKeyPair,
} from './tables.ts';

export interface KeyPairRequest {
  readonly keyPairId: number;
  /** a `KeyPairOperations` code */
  readonly operation: number;
  /** all 0 for KeyPairErase */
  readonly usage: number;
  readonly asym: number;
  readonly pqc: number;
  readonly slots: number;
}

type Asked = Omit<KeyPairRequest, 'keyPairId'>;

/** What the request names: undefined, the current kind. */
function desiredKind(pair: KeyPair, asked: Asked): KeyKind | undefined | StoreRefusal {
  const kind = kindOfMasks(asked);
  if (kind === undefined) return undefined;
  if (!canDo(pair, 'AsymAlgoCap')) return invalidChange('the algorithm cannot be chosen');
  if (kind === 'several') return invalidChange('not one known algorithm');
  return pair.kinds.includes(kind) ? kind : invalidChange(`${kind} cannot be chosen`);
}

const isKind = (x: KeyKind | undefined | StoreRefusal): x is KeyKind | undefined =>
  typeof x !== 'object' || !isRefusal(x);

/** Rules every operation that has parameters keeps to. */
function parameterFault(pair: KeyPair, { usage, slots }: Asked): StoreRefusal | undefined {
  if (usage !== 0 && !canDo(pair, 'KeyUsageCap')) return invalidChange('the usage is fixed');
  if ((usage & ~pair.usageCapabilities) !== 0) return invalidChange('a usage the key cannot have');
  if (slots !== 0 && slots !== pair.slots && !canDo(pair, 'CertAssocCap'))
    return invalidChange('the slots are fixed');
  if (popcount(slots) > 1 && !canDo(pair, 'ShareableCap'))
    return invalidChange('the key cannot be shared by several slots');
  return undefined;
}

/** Whether a slot that the key pair would lose still holds a chain of its key. */
const losesChain = (tables: Tables, keyPairId: number, slots: number): boolean =>
  tables.chains.some((chain) => chain.keyPairId === keyPairId && ((slots >> chain.slot) & 1) === 0);

function associate(tables: Tables, id: number, pair: KeyPair, desired: number) {
  // Without CertAssocCap a mask of 0 means what is: there is no other way to leave it alone.
  const slots = desired === 0 && !canDo(pair, 'CertAssocCap') ? pair.slots : desired;
  if (pair.kind !== undefined && otherOwner(tables, id, pair.kind, slots))
    return failedChange('a slot belongs to another key pair of the same kind');
  // A chain in a slot needs its key: it must be erased first. DSP0274 leaves this open: a choice.
  if (losesChain(tables, id, slots)) return failedChange('a slot holds a certificate of this key');
  return withKeyPair(tables, id, { ...pair, slots });
}

function change(tables: Tables, id: number, pair: KeyPair, asked: Asked): Tables | StoreRefusal {
  const kind = desiredKind(pair, asked);
  if (!isKind(kind)) return kind;
  const fault = parameterFault(pair, asked);
  if (fault !== undefined) return fault;
  if (pair.kind !== undefined && kind !== undefined && kind !== pair.kind)
    return invalidChange(`the key is of kind ${pair.kind}`);
  const usage = asked.usage === 0 ? pair.usage : asked.usage;
  return associate(tables, id, { ...pair, usage, kind: kind ?? pair.kind }, asked.slots);
}

function generate(
  tables: Tables,
  id: number,
  pair: KeyPair,
  asked: Asked,
  make: (kind: KeyKind) => Uint8Array | undefined,
): Tables | StoreRefusal {
  if (!canDo(pair, 'GenKeyCap')) return invalidChange('no key can be generated');
  const desired = desiredKind(pair, asked);
  if (!isKind(desired)) return desired;
  const fault = parameterFault(pair, asked);
  if (fault !== undefined) return fault;
  if (pair.slots !== 0) return failedChange('slots belong to the key');
  const kind = desired ?? pair.kind;
  if (kind === undefined) return failedChange('no algorithm is chosen');
  const usage = asked.usage === 0 ? pair.usage : asked.usage;
  const renewed = { ...pair, kind, usage };
  const associated = associate(tables, id, renewed, asked.slots);
  if (isRefusal(associated)) return associated;
  const privateKey = make(kind);
  if (privateKey === undefined) return failedChange(`keys of kind ${kind} cannot be made here`);
  return withKeyPair(tables, id, { ...keyPairOf(associated, id)!, privateKey });
}

function eraseKey(tables: Tables, id: number, pair: KeyPair): Tables | StoreRefusal {
  if (!canDo(pair, 'ErasableCap')) return invalidChange('the key cannot be erased');
  if (pair.slots !== 0) return failedChange('slots belong to the key');
  return withKeyPair(tables, id, { ...pair, kind: undefined, privateKey: undefined, usage: 0 });
}

/**
 * The change a request asks for.
 * @param make a new private key of a kind, undefined if nobody here makes such; called after every rule
 *   was kept, and more than once where changes wait for a reset: it must give the same key again
 */
export function keyPairChange(
  request: KeyPairRequest,
  make: (kind: KeyKind) => Uint8Array | undefined,
): Change {
  const { keyPairId: id, operation } = request;
  return (tables) => {
    const pair = keyPairOf(tables, id);
    if (pair === undefined) return invalidChange(`there is no key pair ${id}`);
    switch (operation) {
      case KeyPairOperations.ParameterChange:
        return change(tables, id, pair, request);
      case KeyPairOperations.KeyPairErase:
        return eraseKey(tables, id, pair);
      case KeyPairOperations.GenerateKeyPair:
        return generate(tables, id, pair, request, make);
      default:
        return invalidChange(`there is no operation ${operation}`);
    }
  };
}
