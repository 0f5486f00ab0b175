/**
 * The event mechanism (DSP0274, event mechanism, from 1.3): groups of event types, subscriptions to
 * them, and the queue of a notifier. Either side may be the notifier; a responder's events travel in
 * encapsulated SEND_EVENT.
 */

import { equal } from '../codec/bytes.ts';
import type { ValueOf } from '../codec/field.ts';
import { encode, decode as read } from '../codec/layout.ts';
import { LocalError } from '../codec/refusal.ts';
import { RegistryIds, ResponseCodes } from './codes.ts';
import * as layouts from './messages/events.ts';
import { DmtfEventTypes, dmtfEventDetails } from './messages/events.ts';

/** Whose event types these are: a standards body, and a vendor in its numbering. */
export interface EventSource {
  readonly ID: number;
  readonly VendorID: Uint8Array;
}
/** Types of events a notifier knows, all of one source. */
export interface EventGroup extends EventSource {
  readonly version: number;
  readonly types: readonly number[];
}
/** Something that happened. */
export interface EventOccurrence extends EventSource {
  readonly EventTypeID: number;
  readonly EventDetail: Uint8Array;
}
/** The same with its number in the session. */
export interface NumberedEvent extends EventOccurrence {
  readonly EventInstanceID: number;
}
/** What a subscriber asked for of one group; undefined types: all of them. */
export interface Subscription extends EventSource {
  readonly types: readonly number[] | undefined;
}

const DMTF: EventSource = { ID: RegistryIds.DMTF, VendorID: new Uint8Array(0) };
const sameSource = (a: EventSource, b: EventSource) =>
  a.ID === b.ID && equal(a.VendorID, b.VendorID);

/** DMTF's own group in its first version, with the types a device has. */
export const dmtfEvents = (
  ...types: readonly (typeof DmtfEventTypes)[keyof typeof DmtfEventTypes][]
): EventGroup => ({ ...DMTF, version: 1, types });

const MEASUREMENTS = 256;
function bitmap(indices: readonly number[]): Uint8Array {
  const map = new Uint8Array(MEASUREMENTS / 8);
  for (const index of indices) {
    if (!Number.isInteger(index) || index < 0 || index >= MEASUREMENTS)
      throw new LocalError(`indices: ${index} is no measurement index`);
    map[index >> 3] = map[index >> 3]! | (1 << (index & 7));
  }
  return map;
}

/** Measurements of these indices are others now. */
export const measurementChanged = (...indices: readonly number[]): EventOccurrence => ({
  ...DMTF,
  EventTypeID: DmtfEventTypes.MeasurementChanged,
  EventDetail: bitmap(indices),
});
/** They will be, once an update that is pending takes hold. */
export const measurementPreUpdate = (...indices: readonly number[]): EventOccurrence => ({
  ...DMTF,
  EventTypeID: DmtfEventTypes.MeasurementPreUpdate,
  EventDetail: bitmap(indices),
});
/** Certificates of these slots are others now; bit i for slot i. */
export const certificateChanged = (slotMask: number): EventOccurrence => ({
  ...DMTF,
  EventTypeID: DmtfEventTypes.CertificateChanged,
  EventDetail: Uint8Array.of(slotMask),
});
const eventLost = (LastAckedEventInstID: number, LastLostEventInstID: number): EventOccurrence => ({
  ...DMTF,
  EventTypeID: DmtfEventTypes.EventLost,
  EventDetail: encode(dmtfEventDetails[DmtfEventTypes.EventLost], {
    LastAckedEventInstID,
    LastLostEventInstID,
  }),
});

type GroupValue = ValueOf<typeof layouts.eventGroup>;
const ALL = 1;

/** SUPPORTED_EVENT_TYPES of a notifier. */
export function supportedEventTypes(version: number, groups: readonly EventGroup[]): Uint8Array {
  const list: GroupValue[] = groups.map(({ ID, VendorID, version: EventGroupVer, types }) => ({
    ID,
    VendorID,
    EventGroupVer,
    Attributes: 0,
    EventType: types.map((EventTypeID) => ({ EventTypeID })),
  }));
  return encode(layouts.supportedEventTypes, {
    SPDMVersion: version,
    RequestResponseCode: ResponseCodes.SUPPORTED_EVENT_TYPES,
    Param1: groups.length,
    Param2: 0,
    SupportedEventGroupsList: list,
  });
}

export const groupsOf = (list: readonly GroupValue[]): readonly EventGroup[] =>
  list.map(({ ID, VendorID, EventGroupVer, EventType }) => ({
    ID,
    VendorID,
    version: EventGroupVer,
    types: EventType.map(({ EventTypeID }) => EventTypeID),
  }));

const isKnown = (group: EventGroup, { EventGroupVer, Attributes, EventType }: GroupValue) => {
  if (EventGroupVer !== group.version) return false;
  const types = EventType.map(({ EventTypeID }) => EventTypeID);
  // All stands for the list, which is empty then; without it an empty list would subscribe to nothing.
  if ((Attributes & ALL) !== 0) return types.length === 0;
  return types.length > 0 && types.every((type) => group.types.includes(type));
};

/** What a SUBSCRIBE_EVENT_TYPES asks for; undefined: something the notifier does not have. */
export function subscriptionsOf(
  groups: readonly EventGroup[],
  list: readonly GroupValue[],
): readonly Subscription[] | undefined {
  const subscriptions: Subscription[] = [];
  for (const value of list) {
    const group = groups.find((known) => sameSource(known, value));
    const twice = subscriptions.some((other) => sameSource(other, value));
    if (group === undefined || twice || !isKnown(group, value)) return undefined;
    const { ID, VendorID, Attributes, EventType } = value;
    const types = EventType.map(({ EventTypeID }) => EventTypeID);
    subscriptions.push({ ID, VendorID, types: (Attributes & ALL) !== 0 ? undefined : types });
  }
  return subscriptions;
}

/** SubscribeList of what is wanted; versions are those of `groups`. @throws LocalError on another source */
export function subscribeList(
  groups: readonly EventGroup[],
  wanted: readonly Subscription[],
): GroupValue[] {
  return wanted.map(({ ID, VendorID, types }) => {
    const group = groups.find((known) => sameSource(known, { ID, VendorID }));
    if (group === undefined) throw new LocalError(`wanted: no event group of ${ID} is supported`);
    return {
      ID,
      VendorID,
      EventGroupVer: group.version,
      Attributes: types === undefined ? ALL : 0,
      EventType: (types ?? []).map((EventTypeID) => ({ EventTypeID })),
    };
  });
}

/** Events come one per number without a gap, in any order (SEND_EVENT). */
export function numberedEvents(
  list: readonly NumberedEvent[],
): readonly NumberedEvent[] | undefined {
  if (list.length === 0 || !list.every(detailFits)) return undefined;
  const sorted = [...list].sort((a, b) => a.EventInstanceID - b.EventInstanceID);
  const first = sorted[0]!.EventInstanceID;
  return sorted.every((event, i) => event.EventInstanceID === first + i) ? sorted : undefined;
}

/** A DMTF event is of a known type and has its details; those of others are their own affair. */
function detailFits({ ID, VendorID, EventTypeID, EventDetail }: EventOccurrence): boolean {
  if (ID !== RegistryIds.DMTF) return true;
  const known = Object.hasOwn(dmtfEventDetails, EventTypeID);
  if (!known || VendorID.length > 0) return false;
  return read(dmtfEventDetails[EventTypeID as keyof typeof dmtfEventDetails], EventDetail).ok;
}

const isAmong = (events: readonly NumberedEvent[], { EventInstanceID }: NumberedEvent): boolean =>
  events.some((other) => other.EventInstanceID === EventInstanceID);

const QUEUE_MAX = 16;
const INSTANCES = 0x100000000;
/** Numbers start at 0, and none acknowledged is the one before: a choice [unverified]. */
const NONE_ACKED = INSTANCES - 1;
const MESSAGE_HEAD_SIZE = 8;
const EVENT_HEAD_SIZE = 14;

/** What one session is subscribed to, and the events it has not acknowledged yet. */
export class EventQueue {
  private subscriptions: readonly Subscription[];
  private queued: NumberedEvent[] = [];
  private nextInstanceId = 0;
  private lastAcked = NONE_ACKED;

  constructor(subscriptions: readonly Subscription[]) {
    this.subscriptions = subscriptions;
  }

  /** Replaces what was subscribed to; nothing: what is queued will not be delivered any more. */
  subscribe(subscriptions: readonly Subscription[]): void {
    this.subscriptions = subscriptions;
    if (subscriptions.length === 0) this.queued = [];
  }

  get waiting(): number {
    return this.queued.length;
  }

  /**
   * True if the session is subscribed to it. A full queue is given up for one EventLost, but for what is
   * `inFlight` and may be acknowledged yet.
   */
  raise(event: EventOccurrence, inFlight: readonly NumberedEvent[] = []): boolean {
    const wanted = this.subscriptions.some(
      (one) => sameSource(one, event) && (one.types?.includes(event.EventTypeID) ?? true),
    );
    if (!wanted) return false;
    const id = this.number();
    if (this.queued.length < QUEUE_MAX) {
      this.queued.push({ ...event, EventInstanceID: id });
      return true;
    }
    const told = eventLost(inFlight.at(-1)?.EventInstanceID ?? this.lastAcked, id);
    const kept = this.queued.filter((queued) => isAmong(inFlight, queued));
    this.queued = [...kept, { ...told, EventInstanceID: this.number() }];
    return true;
  }

  private number(): number {
    const id = this.nextInstanceId;
    this.nextInstanceId = (id + 1) % INSTANCES;
    return id;
  }

  /**
   * The first events besides `done` that fit into a SEND_EVENT of `sizeMax` bytes, as far as their numbers
   * have no gap: those that were lost leave one.
   */
  batch(sizeMax: number, done: readonly NumberedEvent[] = []): readonly NumberedEvent[] {
    const waiting = this.queued.filter((event) => !isAmong(done, event));
    let size = MESSAGE_HEAD_SIZE;
    const end = waiting.findIndex(({ VendorID, EventDetail, EventInstanceID }, i) => {
      size += EVENT_HEAD_SIZE + VendorID.length + EventDetail.length;
      return size > sizeMax || EventInstanceID !== waiting[0]!.EventInstanceID + i;
    });
    return waiting.slice(0, end < 0 ? undefined : end);
  }

  /** EVENT_ACK came for these. */
  acknowledge(events: readonly NumberedEvent[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    this.lastAcked = last.EventInstanceID;
    this.queued = this.queued.filter((event) => !isAmong(events, event));
  }
}

/** EVENT_ACK, of either side. */
export const eventAck = (version: number): Uint8Array =>
  encode(layouts.eventAck, {
    SPDMVersion: version,
    RequestResponseCode: ResponseCodes.EVENT_ACK,
    Param1: 0,
    Param2: 0,
  });
