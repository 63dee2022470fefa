/**
 * Packets as the door sees them. Those of a client are checked whole before a handler gets them: lengths, flags,
 * identifiers, names, properties. Buffers in them are views of a read buffer and valid only during the call.
 */

/** 4 is MQTT 3.1.1, 5 is MQTT 5.0. MQTT 3.1 (level 3, `MQIsdp`) is not served. */
export type ProtocolLevel = 4 | 5;
export type Qos = 0 | 1 | 2;

/** Absent: not sent. User properties are checked and skipped, except for the trace of a PUBLISH. */
export interface Properties {
  payloadFormatIndicator?: number;
  /** Seconds. */
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Buffer;
  subscriptionIdentifier?: number;
  /** Seconds; 0xffffffff: never. */
  sessionExpiryInterval?: number;
  assignedClientIdentifier?: string;
  /** Seconds. */
  serverKeepAlive?: number;
  authenticationMethod?: string;
  authenticationData?: Buffer;
  requestProblemInformation?: number;
  /** Seconds. */
  willDelayInterval?: number;
  requestResponseInformation?: number;
  responseInformation?: string;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQos?: number;
  retainAvailable?: number;
  /** Bytes of a whole packet. */
  maximumPacketSize?: number;
  wildcardSubscriptionAvailable?: number;
  subscriptionIdentifiersAvailable?: number;
  sharedSubscriptionAvailable?: number;
  /** User properties of a PUBLISH (W3C Trace Context), not checked; empty when sent twice. */
  traceparent?: string;
  /** As above; those that were sent one after the other are joined. */
  tracestate?: string;
}

export interface Will {
  readonly topic: string;
  /** A copy: it may be kept. */
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly properties: Readonly<Properties>;
}

/** Everything in it may be kept. */
export interface ConnectPacket {
  readonly level: ProtocolLevel;
  /** Clean Session of MQTT 3.1.1, Clean Start of MQTT 5. */
  readonly clean: boolean;
  /** Seconds; 0: none. */
  readonly keepAlive: number;
  /** May be empty. */
  readonly clientId: string;
  readonly will: Will | null;
  readonly userName: string | null;
  readonly password: Buffer | null;
  /** Empty in MQTT 3.1.1. */
  readonly properties: Readonly<Properties>;
}

/** One object for all that a connection publishes: read it during the call, keep nothing of it but its strings. */
export interface PublishPacket {
  /** The same string instance as in the packet before when its bytes are the same. Empty only beside a topic alias. */
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 0 with QoS 0. */
  readonly id: number;
  /** null: none were sent. */
  readonly properties: Readonly<Properties> | null;
}

export interface Subscription {
  readonly filter: string;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: number;
}

export interface SubscribePacket {
  readonly id: number;
  /** At least one, at most `maxFilters`, in the order of the packet. */
  readonly subscriptions: readonly Subscription[];
  /** 0: none. */
  readonly subscriptionIdentifier: number;
}

export interface UnsubscribePacket {
  readonly id: number;
  /** At least one, at most `maxFilters`, in the order of the packet. */
  readonly filters: readonly string[];
}

export interface DisconnectPacket {
  readonly reason: number;
  readonly properties: Readonly<Properties>;
}

export interface AuthPacket {
  readonly reason: number;
  readonly properties: Readonly<Properties>;
}

/** What a reader calls, once for each packet, in their order. A throw of a handler goes through `read`. */
export interface PacketHandler {
  /** Called once, and before everything else. */
  connect(packet: ConnectPacket): void;
  publish(packet: PublishPacket): void;
  puback(id: number, reason: number): void;
  pubrec(id: number, reason: number): void;
  pubrel(id: number, reason: number): void;
  pubcomp(id: number, reason: number): void;
  subscribe(packet: SubscribePacket): void;
  unsubscribe(packet: UnsubscribePacket): void;
  pingreq(): void;
  disconnect(packet: DisconnectPacket): void;
  auth(packet: AuthPacket): void;
}

/** What a DISCONNECT of MQTT 5 that the node sends may carry. */
export type SentDisconnectProperties = Readonly<Pick<Properties, 'reasonString' | 'serverReference'>>;

/** What a CONNACK of MQTT 5 may carry. */
export type ConnackProperties = Readonly<
  Pick<
    Properties,
    | 'sessionExpiryInterval'
    | 'receiveMaximum'
    | 'maximumQos'
    | 'retainAvailable'
    | 'maximumPacketSize'
    | 'assignedClientIdentifier'
    | 'topicAliasMaximum'
    | 'reasonString'
    | 'wildcardSubscriptionAvailable'
    | 'subscriptionIdentifiersAvailable'
    | 'sharedSubscriptionAvailable'
    | 'serverKeepAlive'
    | 'serverReference'
  >
>;
