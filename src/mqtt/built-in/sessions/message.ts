import type { Chained } from '../connections/chain.js';

/** Bytes of a PUBLISH beside topic and payload: fixed header, lengths, identifier, empty properties. */
const OVERHEAD = 12;

/** A message for the subscribers of its topic. */
export interface Message {
  readonly tenant: string;
  readonly topic: string;
  readonly payload: string | Buffer;
  /** The client that published it, for subscriptions with No Local. */
  readonly clientId?: string;
}

/** One message on its way to one session. All sessions that it is for share the message. */
export class Outgoing implements Chained {
  next: Chained | null = null;
  /** Packet identifier; 0 until it was sent with QoS 1. */
  id = 0;
  /** The session keeps it beyond the connection, and the budget counts it. */
  kept = false;
  /** It counts as backlog of its connection. */
  counted = false;

  constructor(
    /** null: sent, and nobody will ask for it again. */
    public message: SharedMessage | null,
    readonly qos: 0 | 1,
    /** Of the subscriptions that match; null: none has one. */
    readonly subscriptionIds: readonly number[] | null,
  ) {}
}

/** What every subscriber of a message is sent. */
export class SharedMessage {
  readonly topic: string;
  readonly payload: string | Buffer;
  /** Bytes of its PUBLISH, about. */
  readonly size: number;
  /** Sessions that keep it. */
  holders = 0;

  /** @param userProperties encoded; null: none */
  constructor(
    topic: string,
    payload: string | Buffer,
    readonly userProperties: Buffer | null = null,
  ) {
    this.topic = topic;
    this.payload = payload;
    this.size = topic.length + Buffer.byteLength(payload) + OVERHEAD + (userProperties?.length ?? 0);
  }
}
