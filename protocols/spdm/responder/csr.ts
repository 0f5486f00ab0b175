/** Responder side of GET_CSR (DSP0274 10.25). */

import type { ValueOf } from '../../codec/field.ts';
import { decode, encode } from '../../codec/layout.ts';
import { parseRequestInfo } from '../../x509/csr.ts';
import { ErrorCodes, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { CertModels } from '../messages/auth.ts';
import * as layouts from '../messages/provisioning.ts';
import { opaqueDataFmt0, opaqueDataFmt1 } from '../opaque.ts';
import { type CsrOrder, type CsrTracking, makeCsr } from '../provisioning/csr-requests.ts';
import { failedChange, invalidChange, keyPairOf } from '../provisioning/tables.ts';
import {
  certModelOf,
  installWhen,
  type Provisioning,
  refusedBy,
  resetRequired,
  sharedKeyPair,
} from './provisioning.ts';
import {
  type Answer,
  answerHeader,
  type ErrorAnswer,
  type Handlers,
  invalid,
  type ResponderState,
  type Turn,
  unexpected,
  unsupported,
} from './state.ts';

type GetCsr = ValueOf<typeof layouts.getCsr>;

/** Param1 and Param2, which 1.2 reserves. */
function paramsOf({ Param1, Param2 }: GetCsr, version: number) {
  if (version < SpdmVersions.V1_3)
    return { keyPairId: 0, certModel: CertModels.None, tag: 0, overwrite: false };
  return {
    keyPairId: Param1,
    certModel: Param2 & 7,
    tag: (Param2 >> 3) & 7,
    overwrite: (Param2 & 0x80) !== 0,
  };
}

const OPAQUE_BYTES_MAX = 1024;

/** Opaque data has the format that was agreed on. */
function opaqueLegal(state: ResponderState, opaque: Uint8Array): boolean {
  if (opaque.length === 0) return true;
  const format = state.negotiated!.opaqueFormat1 ? opaqueDataFmt1 : opaqueDataFmt0;
  return opaque.length <= OPAQUE_BYTES_MAX && decode(format, opaque).ok;
}

/** What the CSR is to say and for which key; an ERROR if the request does not tell. */
function orderOf(
  state: ResponderState,
  turn: Turn,
  value: GetCsr,
  { store, csr }: Provisioning,
): CsrOrder | ErrorAnswer {
  const { keyPairId, certModel } = paramsOf(value, turn.version);
  const model = certModelOf(state, keyPairId, certModel);
  const suite = state.suite();
  if (model === undefined || suite?.signature === undefined) return invalid;
  const info = value.RequesterInfo;
  const asked = info.length === 0 ? undefined : parseRequestInfo(info);
  if (asked?.ok === false || !opaqueLegal(state, value.OpaqueData)) return invalid;
  const id = keyPairId === 0 ? sharedKeyPair(store, suite.signature) : keyPairId;
  if (id === undefined) return refusedBy(turn, failedChange('no key pair signs as negotiated'));
  if (keyPairOf(store.tables, id) === undefined)
    return refusedBy(turn, invalidChange(`there is no key pair ${id}`));
  return {
    keyPairId: id,
    isAlias: model === CertModels.AliasCert,
    content: {
      crypto: state.config.crypto,
      algorithm: suite.signature,
      hash: suite.hash,
      ...csr!,
      ...(asked === undefined ? {} : { requesterInfo: asked.value }),
    },
  };
}

const PARAM2 = 3;
const TAG_AND_OVERWRITE = 0xb8;

/** The request as it comes again after the reset: under a tag, and without Overwrite. */
function untaggedRequest(turn: Turn): Uint8Array {
  const request = turn.request.slice();
  request[PARAM2] = request[PARAM2]! & ~TAG_AND_OVERWRITE;
  return request;
}

function track(turn: Turn, value: GetCsr, { store }: Provisioning, order: CsrOrder): CsrTracking {
  const { csrRequests } = store;
  const { tag, overwrite } = paramsOf(value, turn.version);
  const request = untaggedRequest(turn);
  if (turn.version < SpdmVersions.V1_3) return csrRequests.untagged(request, order);
  return tag === 0 ? csrRequests.track(request, order, overwrite) : csrRequests.fetch(request, tag);
}

function answerGetCsr(state: ResponderState, turn: Turn, value: GetCsr): Answer {
  const { provisioning } = state.config;
  if (provisioning?.csr === undefined) return unsupported(turn);
  const { tag, overwrite } = paramsOf(value, turn.version);
  const waits = installWhen(state) === 'reset';
  if (tag !== 0 && (overwrite || !waits)) return invalid;
  const order = orderOf(state, turn, value, provisioning);
  if ('error' in order) return order;
  turn.work.push({ op: 'certificate-parse' });
  if (!waits) return csrAnswer(turn, makeCsr(provisioning.store.tables, order));
  const tracking = track(turn, value, provisioning, order);
  switch (tracking.state) {
    case 'ready':
      return csrAnswer(turn, tracking.csr);
    case 'busy':
      return { error: ErrorCodes.Busy };
    case 'unknown':
      return unexpected;
    case 'reset-required':
      turn.commits.push(tracking.commit);
      return resetRequired(turn.version >= SpdmVersions.V1_3 ? tracking.tag : 0);
  }
}

function csrAnswer(turn: Turn, CSRdata: Uint8Array | undefined): Answer {
  if (CSRdata === undefined)
    return refusedBy(turn, failedChange('the key pair has no key that signs as negotiated'));
  turn.work.push({ op: 'hash', bytes: CSRdata.length }, { op: 'sign' });
  return encode(layouts.csr, { ...answerHeader(turn, ResponseCodes.CSR), CSRdata });
}

export const csrHandlers: Handlers = { [RequestCodes.GET_CSR]: answerGetCsr };
