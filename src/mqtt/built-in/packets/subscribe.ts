import { type Fields, malformed, protocolError } from './fields.js';
import type { ProtocolLevel, Qos, SubscribePacket, Subscription, UnsubscribePacket } from './packet.js';
import { TYPE } from './packet-types.js';
import { readProperties } from './properties-reader.js';
import { ProtocolError } from './protocol-error.js';
import { REASON } from './reason-codes.js';
import { isShared, isSharedFilter, isTopicFilter } from './topic-names.js';

const OPTION = { qos: 0x03, noLocal: 0x04, retainAsPublished: 0x08, reserved: 0xc0 } as const;
const RETAIN_HANDLING_SHIFT = 4;

export function readSubscribe(fields: Fields, level: ProtocolLevel, maxFilters: number): SubscribePacket {
  const id = fields.packetIdentifier();
  const properties = level === 5 ? readProperties(fields, TYPE.subscribe) : null;
  const subscriptions: Subscription[] = [];
  do {
    subscriptions.push(readSubscription(fields, level));
    checkNumber(subscriptions.length, maxFilters);
  } while (fields.left > 0);
  return { id, subscriptions, subscriptionIdentifier: properties?.subscriptionIdentifier ?? 0 };
}

export function readUnsubscribe(fields: Fields, level: ProtocolLevel, maxFilters: number): UnsubscribePacket {
  const id = fields.packetIdentifier();
  if (level === 5) readProperties(fields, TYPE.unsubscribe);
  const filters: string[] = [];
  do {
    filters.push(readFilter(fields, level));
    checkNumber(filters.length, maxFilters);
  } while (fields.left > 0);
  return { id, filters };
}

function checkNumber(filters: number, maxFilters: number): void {
  if (filters > maxFilters)
    throw new ProtocolError(REASON.quotaExceeded, `there are more than ${maxFilters} filters in one packet`);
}

function readFilter(fields: Fields, level: ProtocolLevel): string {
  // MQTT-3.8.3-2, MQTT-3.10.3-2; of MQTT 3.1.1: MQTT-3.8.3-3, MQTT-3.10.3-2
  if (fields.left === 0) throw protocolError('there is no filter');
  const filter = fields.string();
  const isValid = level === 5 && isShared(filter) ? isSharedFilter(filter) : isTopicFilter(filter);
  if (!isValid) throw malformed('a filter is empty, or a wildcard or share name in it stands where none may');
  return filter;
}

function readSubscription(fields: Fields, level: ProtocolLevel): Subscription {
  const filter = readFilter(fields, level);
  const options = fields.byte();
  const qos = options & OPTION.qos;
  if (level === 4) {
    // MQTT-3.8.3-4 of MQTT 3.1.1
    if (options > 2) throw malformed('the QoS of a subscription is above 2, or a reserved bit is set');
    return { filter, qos: qos as Qos, noLocal: false, retainAsPublished: false, retainHandling: 0 };
  }
  const retainHandling = (options >> RETAIN_HANDLING_SHIFT) & 3;
  const noLocal = (options & OPTION.noLocal) !== 0;
  // MQTT-3.8.3-5
  if ((options & OPTION.reserved) !== 0) throw malformed('a reserved bit of the subscription options is set');
  if (qos === 3) throw protocolError('the maximum QoS of a subscription is 3');
  if (retainHandling === 3) throw protocolError('the retain handling of a subscription is 3');
  // MQTT-3.8.3-4
  if (noLocal && isShared(filter)) throw protocolError('No Local is set for a shared subscription');
  return {
    filter,
    qos: qos as Qos,
    noLocal,
    retainAsPublished: (options & OPTION.retainAsPublished) !== 0,
    retainHandling,
  };
}
