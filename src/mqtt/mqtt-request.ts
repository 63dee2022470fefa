import type { Principal } from '../access/principal.js';
import type { ServiceError } from '../errors/service-error.js';
import type { ShadowKey } from '../store/shadow-store.js';
import type { Operation } from './topics.js';

/** Which doors the transport serves; other transports of Nest do not see their handlers. */
export const MQTT_DOOR = Symbol('mqtt');

/** The topics of one operation, as handlers declare them. */
export function requestPatterns(operation: Operation): string[] {
  return [`$aws/things/+/shadow/${operation}`, `$aws/things/+/shadow/name/+/${operation}`];
}

export interface Sender {
  readonly principal: Principal;
  readonly clientId: string;
}

/** The context of one request: what a handler gets beside nothing else. Without Nest's envelope. */
export class MqttRequest {
  #handedOver = false;
  #revision = 0;

  constructor(
    readonly key: ShadowKey,
    readonly operation: Operation,
    readonly payload: Buffer,
    readonly sender: Sender,
    readonly requestId: string,
    /** Milliseconds of the monotonic clock after which nobody waits for the answer. */
    readonly deadline: number,
  ) {}

  get principal(): Principal {
    return this.sender.principal;
  }

  get clientId(): string {
    return this.sender.clientId;
  }

  /** To be called before a change is handed over: from here on an unforeseen error does not mean "not applied". */
  handOver(): void {
    this.#handedOver = true;
  }

  /** To be called with the revision of the commit, so that a drain can wait until it has been told to subscribers. */
  committed(revision: number): void {
    this.#revision = revision;
  }

  /** 0 when nothing was committed. */
  get revision(): number {
    return this.#revision;
  }

  get mayBeApplied(): boolean {
    return this.#handedOver;
  }
}

/** What a handler's error filter makes of an error. */
export type Refusal =
  | { readonly kind: 'rejected'; readonly error: ServiceError }
  /** It may have been applied: nobody is told that it was not (DESIGN 3). */
  | { readonly kind: 'unknown' };

export class Refused {
  constructor(readonly refusal: Refusal) {}
}
