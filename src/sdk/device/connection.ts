import type { UmbraError } from '../umbra-error.js';

/** One connection to a node, from its CONNACK to its end. */
export interface Connection {
  /** Whether the node has kept the subscriptions of the connection before. */
  readonly hasSession: boolean;
  /**
   * Asks for messages of QoS 1. Resolves to the topics that were refused.
   * @throws UmbraError unreachable
   */
  subscribe(topics: readonly string[]): Promise<readonly string[]>;
  /**
   * Sends with QoS 1 and waits for the PUBACK.
   * @param properties user properties of MQTT 5; left out over 3.1.1
   * @throws UmbraError unreachable, with the outcome unknown; the refusal of a PUBACK
   */
  publish(topic: string, payload: string, properties?: Readonly<Record<string, string>>): Promise<void>;
  /** Cuts the connection, as a fault would: the node keeps the session. No errors. */
  cut(): void;
  /** Says goodbye, and that the session is not needed any more; cuts after a second. No errors. */
  leave(): Promise<void>;
}

/** What happens to a connection. Messages may come before the connection is there: a session has kept them. */
export interface ConnectionEvents {
  message(topic: string, payload: string): void;
  /** Once, unless dialling has failed. */
  closed(error: UmbraError): void;
}

export interface DialOptions {
  /** Key or token; null: whatever else the device has. */
  readonly password: string | null;
  /** Whether a session of before is not wanted. */
  readonly isFirst: boolean;
  readonly signal: AbortSignal;
}

/**
 * Makes a connection. Tests put others in its place.
 * @throws UmbraError unreachable, aborted; the refusal of a CONNACK
 */
export type Dial = (options: DialOptions, events: ConnectionEvents) => Promise<Connection>;
