import { Counter, Gauge, Histogram, type Reading } from './recorder.js';

/** The types of packets in the order of their numbers, from 1 on (MQTT 2.1.2). */
const PACKETS = [
  ...(['connect', 'connack', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'subscribe'] as const),
  ...(['suback', 'unsubscribe', 'unsuback', 'pingreq', 'pingresp', 'disconnect', 'auth'] as const),
] as const;
const RECEIVED = [
  ...(['connect', 'publish', 'puback', 'pubrec', 'pubrel', 'pubcomp'] as const),
  ...(['subscribe', 'unsubscribe', 'pingreq', 'disconnect', 'auth'] as const),
];
const SENT = [
  ...(['connack', 'publish', 'puback', 'pubrec', 'pubcomp'] as const),
  ...(['suback', 'unsuback', 'pingresp', 'disconnect'] as const),
];

const VERSIONS = ['3.1.1', '5'] as const;
const TRANSPORTS = ['tcp', 'tls', 'websocket'] as const;

const LEAVINGS = [
  ...(['client', 'network', 'keepalive', 'too_slow', 'taken_over', 'denied'] as const),
  ...(['protocol', 'drain', 'moved', 'failed'] as const),
] as const;
export type Leaving = (typeof LEAVINGS)[number];

const CONNECT_RESULTS = ['accepted', 'invalid', 'denied', 'too_many', 'unavailable'] as const;
export type ConnectResult = (typeof CONNECT_RESULTS)[number];

/** Bound cells by the last of their labels. */
function cellsOf<T extends string>(values: readonly T[], bind: (value: T) => number): Readonly<Record<T, number>> {
  return Object.fromEntries(values.map((value) => [value, bind(value)])) as Record<T, number>;
}

/** The built-in broker. */
export class MqttMetrics {
  readonly connections = new Gauge({
    name: 'umbra_mqtt_connections',
    help: 'Clients that are connected.',
    labels: { version: VERSIONS, transport: TRANSPORTS },
  });
  readonly connects = new Counter({
    name: 'umbra_mqtt_connects',
    help: 'CONNECT packets by what became of them.',
    labels: { result: CONNECT_RESULTS },
  });
  readonly disconnects = new Counter({
    name: 'umbra_mqtt_disconnects',
    help: 'Ends of connections whose CONNECT was accepted. failed: of the node, or the outcome of a request is unknown.',
    labels: { reason: LEAVINGS },
  });
  readonly packets = new Counter({
    name: 'umbra_mqtt_packets',
    help: 'Packets by direction and type.',
    labels: { direction: ['received', 'sent'], type: PACKETS },
  });
  readonly receivedBytes = new Counter({
    name: 'umbra_mqtt_received_bytes',
    help: 'Bytes that clients have sent, without TLS and frames of WebSockets.',
  });
  readonly sentBytes = new Counter({
    name: 'umbra_mqtt_sent_bytes',
    help: 'Bytes for clients, without TLS and frames of WebSockets.',
  });
  readonly delivered = new Counter({
    name: 'umbra_mqtt_delivered',
    help: 'Messages that were written to subscribers.',
    labels: { qos: ['0', '1'] },
  });
  readonly dropped = new Counter({
    name: 'umbra_mqtt_dropped',
    help: 'Messages that were not sent: larger than the client takes, a delta after a newer one, or kept by a session that is full.',
    labels: { reason: ['too_large', 'older', 'session_full'] },
  });
  readonly documentsLeftOut = new Counter({
    name: 'umbra_documents_left_out',
    help: 'Messages on update/documents that were not sent: the document before the change could not be read, or too many waited for theirs.',
    labels: { reason: ['unread', 'too_many'] },
  });
  readonly pubacks = new Histogram({
    name: 'umbra_mqtt_puback_seconds',
    help: 'Time from the arrival of a request with QoS 1 until its PUBACK is written, which waits for those before it.',
  });
  readonly sessions = new Gauge({ name: 'umbra_mqtt_sessions', help: 'Sessions that outlive their connections.' });
  readonly sessionMessages = new Gauge({
    name: 'umbra_mqtt_session_messages',
    help: 'Messages that sessions keep until they are acknowledged.',
  });
  readonly backlogBytes = new Gauge({
    name: 'umbra_mqtt_backlog_bytes',
    help: 'Bytes of messages that wait for clients that are connected.',
  });
  readonly subscriptions = new Gauge({ name: 'umbra_mqtt_subscriptions', help: 'Filters of all sessions.' });
  readonly keptBytes = new Gauge({
    name: 'umbra_mqtt_kept_bytes',
    help: 'Bytes that clients make the node keep: messages, filters, wills and incomplete packets.',
  });
  readonly connectedBy = cellsOf(CONNECT_RESULTS, (result) => this.connects.bind(result));
  readonly leftBy = cellsOf(LEAVINGS, (reason) => this.disconnects.bind(reason));
  readonly deliveredWith = [this.delivered.bind('0'), this.delivered.bind('1')] as const;
  readonly tooLarge = this.dropped.bind('too_large');
  readonly older = this.dropped.bind('older');
  readonly sessionFull = this.dropped.bind('session_full');
  readonly leftOut = {
    unread: this.documentsLeftOut.bind('unread'),
    too_many: this.documentsLeftOut.bind('too_many'),
  };

  constructor() {
    for (const type of RECEIVED) this.packets.bind('received', type);
    for (const type of SENT) this.packets.bind('sent', type);
  }

  /** @param type number of its type, from 1 on */
  received(type: number): void {
    this.packets.add(type - 1);
  }

  /** @param type as above */
  sent(type: number): void {
    this.packets.add(PACKETS.length + type - 1);
  }
}

/** How a client is connected. */
export interface Way {
  readonly version: '3.1.1' | '5';
  readonly transport: 'tcp' | 'tls' | 'websocket';
}

/** Numbers of clients by how they are connected. */
export function connectionReadings(ways: readonly Way[]): Reading[] {
  const counts = new Map<string, number>();
  for (const { version, transport } of ways) {
    const key = `${version} ${transport}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return VERSIONS.flatMap((version) =>
    TRANSPORTS.map((transport) => [[version, transport], counts.get(`${version} ${transport}`) ?? 0] as const),
  );
}
