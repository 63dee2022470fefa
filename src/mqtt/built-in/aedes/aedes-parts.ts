import type { EventEmitter } from 'node:events';
import type { Client } from 'aedes';

/** What this door uses of aedes beyond its published types; test/integration/mqtt-*.spec.ts notice when it changes. */

/** A message as aedes passes it on. */
export interface OutgoingPacket {
  readonly cmd: 'publish';
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly retain: false;
  readonly dup: boolean;
  /** Id of the client that published it, for No Local subscriptions of MQTT 5. */
  readonly clientId?: string;
  /** null: never taken for a duplicate of another message. */
  readonly brokerId: string | null;
  /** aedes drops a message whose counter is not above the last one of the same client. */
  readonly brokerCounter: number;
  messageId?: number;
}

export interface StoredSubscription {
  readonly topic: string;
  readonly qos: number;
  readonly rh?: number;
  readonly rap?: boolean;
  readonly nl?: boolean;
  readonly subscriptionIdentifier?: number;
}

/** A SUBSCRIBE as the parser gives it, before aedes looks at it. */
export interface ParsedPacket {
  cmd: string;
  subscriptions?: { topic: string; qos: number }[];
}

/** Emits each packet while it parses; aedes handles it there and then. */
export interface PacketParser extends EventEmitter {
  parse(bytes: Buffer): number;
}

export interface AedesClient extends Client {
  /** Filter to what was granted. */
  subscriptions: Record<string, { readonly qos: number }>;
  readonly connackSent: boolean;
  /** The client has said DISCONNECT. */
  readonly _disconnected: boolean;
  readonly _parser: PacketParser;
  /** Identifier of the next packet, 1 to 65535. */
  _nextId: number;
  deliverQoS(packet: OutgoingPacket, done: () => void): void;
  deliver0(packet: OutgoingPacket, done: () => void): void;
}
