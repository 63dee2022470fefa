import { ServiceError } from '../errors/service-error.js';
import type { Principal } from './principal.js';

/** A request too many beside those that are not answered yet. */
export class TooManyInFlight extends ServiceError {
  /** @param most that are served at once */
  constructor(by: 'principal' | 'connection', most: number) {
    super('tooManyInFlight', `${most} of one ${by}`);
  }
}

/** A stream too many beside those that are open. */
export class TooManyStreams extends ServiceError {
  /** @param most that are open at once */
  constructor(most: number) {
    super('tooManyInFlight', `${most} streams of one principal`);
  }
}

/** Where requests in flight of one principal are counted. */
export interface InFlightPlaces {
  /** To be called once for each request that has come in. No errors. */
  leave(): void;
}

/** Bounds the requests that were begun and not answered yet. */
export interface InFlightLimits {
  /** Most of one connection of HTTP; 0: any number. One of MQTT is not read while it has mqtt/request-queue.ts many. */
  readonly ofConnection: number;
  /** Counts a request. Null: its principal has too many. No errors. */
  enter(principal: Principal): InFlightPlaces | null;
  /** Most of one principal. */
  readonly ofPrincipal: number;
}

/** Injection token of the InFlightLimits of requests. */
export const IN_FLIGHT_LIMITS = Symbol('InFlightLimits');
/** Injection token of the InFlightLimits of streams, which nobody waits for: they would fill a bound for requests. */
export const STREAM_LIMITS = Symbol('StreamLimits');

const UNCOUNTED: InFlightPlaces = { leave: () => undefined };

/** Of a node without authentication: development on loopback. */
export const NO_IN_FLIGHT_LIMITS: InFlightLimits = { ofConnection: 0, ofPrincipal: 0, enter: () => UNCOUNTED };
