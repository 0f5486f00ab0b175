/**
 * Layouts of the event mechanism: GET_SUPPORTED_EVENT_TYPES, SUBSCRIBE_EVENT_TYPES, SEND_EVENT and their
 * responses, and of the details of DMTF events (DSP0274 clause "Event mechanism", from 1.3).
 */

import {
  bytes,
  countOf,
  layout,
  lengthOf,
  list,
  type Names,
  reserved,
  type Scope,
  struct,
  u8,
  u16,
  u32,
  when,
} from '../../codec/field.ts';
import { registryNames } from '../codes.ts';
import { header } from './header.ts';

const CLAUSE = 'DSP0274 event mechanism';

/** EventTypeID of the DMTF event group. */
export const DmtfEventTypes = {
  EventLost: 1,
  MeasurementChanged: 2,
  MeasurementPreUpdate: 3,
  CertificateChanged: 4,
} as const;
/** Event types of other groups have numbers of their own, so the names are for DMTF's only. */
export const dmtfEventTypeNames: Names = Object.fromEntries(
  Object.entries(DmtfEventTypes).map(([name, code]) => [code, name]),
);

const svh = {
  ID: u8({ names: registryNames }),
  VendorIDLen: lengthOf('VendorID', 1),
  VendorID: bytes((v) => v.VendorIDLen),
} as const;

const eventType = layout('EventType', CLAUSE, {
  EventTypeID: u16(),
  Reserved: reserved(2),
});

/**
 * An event group: whose it is, and its types. In a subscription the attribute All stands for every type
 * of the group and the list is empty. The order of the fields is that of the DMTF reference's own tests
 * [unverified against the specification].
 */
export const eventGroup = layout('EventGroup', CLAUSE, {
  ...svh,
  EventTypeCount: countOf('EventType', 2),
  EventGroupVer: u16(),
  Attributes: u32({ bits: { All: [0] } }),
  EventType: list(struct(eventType), { count: (v) => v.EventTypeCount }),
});

const groupsAgree = (list: string) => (v: Scope) =>
  v.Param1 === (v[list]?.length ?? 0)
    ? undefined
    : `Param1 says ${v.Param1} groups, ${list} holds ${v[list]?.length ?? 0}`;

export const getSupportedEventTypes = layout('GET_SUPPORTED_EVENT_TYPES', CLAUSE, header);

/** Param1: number of event groups. */
export const supportedEventTypes = layout(
  'SUPPORTED_EVENT_TYPES',
  CLAUSE,
  {
    ...header,
    SupportedEventGroupsListLen: lengthOf('SupportedEventGroupsList', 4),
    SupportedEventGroupsList: list(struct(eventGroup), {
      bytes: (v) => v.SupportedEventGroupsListLen,
    }),
  },
  groupsAgree('SupportedEventGroupsList'),
);

/** Param1: number of event groups; 0 unsubscribes from everything, and nothing follows. */
const subscribes = (v: Scope) => v.Param1 !== 0;
export const subscribeEventTypes = layout(
  'SUBSCRIBE_EVENT_TYPES',
  CLAUSE,
  {
    ...header,
    SubscribeListLen: when(subscribes, lengthOf('SubscribeList', 4)),
    SubscribeList: when(subscribes, list(struct(eventGroup), { bytes: (v) => v.SubscribeListLen })),
  },
  groupsAgree('SubscribeList'),
);
export const subscribeEventTypesAck = layout('SUBSCRIBE_EVENT_TYPES_ACK', CLAUSE, header);

/** One event; the form of EventDetail is its group's own. */
export const event = layout('Event', CLAUSE, {
  EventInstanceID: u32(),
  Reserved: reserved(4),
  ...svh,
  EventTypeID: u16(),
  EventDetailLen: lengthOf('EventDetail', 2),
  EventDetail: bytes((v) => v.EventDetailLen),
});

export const sendEvent = layout('SEND_EVENT', CLAUSE, {
  ...header,
  EventCount: countOf('EventsList', 4),
  EventsList: list(struct(event), { count: (v) => v.EventCount }),
});
export const eventAck = layout('EVENT_ACK', CLAUSE, header);

const MEASUREMENT_MAP_SIZE = 32;
/** Details of DMTF's events by EventTypeID. In a bitmap, bit n of byte m is measurement index 8 m + n. */
export const dmtfEventDetails = {
  [DmtfEventTypes.EventLost]: layout('EventLost', CLAUSE, {
    LastAckedEventInstID: u32(),
    LastLostEventInstID: u32(),
  }),
  [DmtfEventTypes.MeasurementChanged]: layout('MeasurementChanged', CLAUSE, {
    ChangedMeasurements: bytes(MEASUREMENT_MAP_SIZE),
  }),
  [DmtfEventTypes.MeasurementPreUpdate]: layout('MeasurementPreUpdate', CLAUSE, {
    PreUpdateMeasurementChanges: bytes(MEASUREMENT_MAP_SIZE),
  }),
  // a mask of certificate slots
  [DmtfEventTypes.CertificateChanged]: layout('CertificateChanged', CLAUSE, {
    CertificateChanged: u8(),
  }),
} as const;
