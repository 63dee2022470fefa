import type { Principal } from '../access/principal.js';
import type { RequestOptions, ShadowKey, ShadowRecord } from '../store/shadow-store.js';
import type { Operation } from './topics.js';

/** Transport of every MessagePattern that RequestAnswerer calls. Transports of Nest do not see these handlers. */
export const MQTT_DOOR = Symbol('mqtt');

/** The topics of one operation, as handlers declare them. */
export function requestPatterns(operation: Operation): string[] {
  return [`$aws/things/+/shadow/${operation}`, `$aws/things/+/shadow/name/+/${operation}`];
}

/** The only argument that a handler receives. */
export interface MqttRequest extends RequestOptions {
  readonly key: ShadowKey;
  readonly operation: Operation;
  readonly payload: Buffer;
  readonly principal: Principal;
  readonly clientId: string;
  readonly requestId: string;
}

/** What a handler returns. */
export type MqttResult =
  /** The message of `{operation}/accepted` as JSON, which is published at once. */
  | { readonly accepted: string }
  /** The record of the commit. The feed brings its delta, documents and accepted to the subscribers. */
  | Pick<ShadowRecord, 'position'>;

/** How a change ends: exactly one of the two is called, once. */
export interface MqttOutcome {
  committed(record: Pick<ShadowRecord, 'position'>): void;
  failed(error: unknown): void;
}

/**
 * A handler parses before it returns: what it throws concerns the request alone. It returns a promise of its result or, on
 * the hot path, nothing, and settles `outcome` later. An error that is no ServiceError and ends a change leaves the outcome
 * unknown.
 */
export type MqttHandler = (request: MqttRequest, outcome: MqttOutcome) => Promise<MqttResult> | void;
