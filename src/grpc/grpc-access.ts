import { Inject, Injectable } from '@nestjs/common';
import { ACCESS, type Access } from '../access/access.module.js';
import { actorOf } from '../access/audit.js';
import { TooManyInFlight, TooManyStreams, type InFlightPlaces } from '../access/in-flight-limits.js';
import { POLICY_ACTIONS } from '../access/policy-action.js';
import { notAllowed } from '../access/refusal.js';
import { ServiceError } from '../errors/service-error.js';
import type { Caller } from './authenticate.js';
import type { GrpcConnection } from './grpc-connections.js';
import type { DeclaredMethod } from './grpc-handlers.js';

/** One call whose message has come. */
export interface AskedCall {
  readonly path: string;
  readonly method: DeclaredMethod;
  readonly caller: Caller;
  readonly request: object;
  readonly isStream: boolean;
}

/** Asks policies and limits about each call, in the order of the door of HTTP: what is refused is not counted. */
@Injectable()
export class GrpcAccess {
  readonly #ofConnections = new WeakMap<GrpcConnection, { count: number }>();

  constructor(@Inject(ACCESS) private readonly access: Access) {}

  /**
   * Lets a call in. `leave` is to be called once, when it is answered.
   * @throws ServiceError for names that are none; notAllowed, scopeTooSmall; rateExceeded, tooManyInFlight
   */
  enter(call: AskedCall): InFlightPlaces {
    try {
      this.#ask(call);
      const { thing } = call.request as { thing?: unknown };
      const excess = this.access.limits.take(call.caller.principal, typeof thing === 'string' ? thing : null);
      if (excess !== null) throw excess;
      return call.isStream ? this.#enterStream(call) : this.#enter(call);
    } catch (error) {
      if (error instanceof ServiceError && error.authCode !== undefined) this.#audit(call, error);
      throw error;
    }
  }

  #ask({ method, caller: { principal, address }, request }: AskedCall): void {
    const { authorizer } = this.access;
    const resource = method.about(request as never);
    const action = POLICY_ACTIONS[method.action];
    if (!authorizer.isRequired || action === null) return;
    const isAllowed =
      resource === null
        ? authorizer.mayEver(principal, action)
        : authorizer.allows(principal, action, resource, { address });
    if (!isAllowed) throw notAllowed(principal, action, resource ?? 'anything');
  }

  #enter({ caller: { principal, connection } }: AskedCall): InFlightPlaces {
    const { ofConnection, ofPrincipal } = this.access.inFlight;
    let own = this.#ofConnections.get(connection);
    if (own === undefined) this.#ofConnections.set(connection, (own = { count: 0 }));
    if (ofConnection > 0 && own.count >= ofConnection) throw new TooManyInFlight('connection', ofConnection);
    const places = this.access.inFlight.enter(principal);
    if (places === null) throw new TooManyInFlight('principal', ofPrincipal);
    const counted = own;
    counted.count++;
    return {
      leave: () => {
        counted.count--;
        places.leave();
      },
    };
  }

  #enterStream({ caller: { principal } }: AskedCall): InFlightPlaces {
    const { streams } = this.access;
    const places = streams.enter(principal);
    if (places === null) throw new TooManyStreams(streams.ofPrincipal);
    return places;
  }

  #audit({ path, method: { action }, caller, request }: AskedCall, { authCode, code }: ServiceError): void {
    const { principal, address, requestId } = caller;
    const actor = actorOf(principal);
    this.access.audit.record({
      ...{ action, actor, tenant: actor.tenant, target: targetOf(path, request), address },
      ...{ outcome: 'refused', code: authCode ?? code, requestId },
    });
  }
}

/** The path of the method, and the shadow that the message names. */
function targetOf(path: string, request: object): string {
  const { thing, shadow } = request as { thing?: unknown; shadow?: unknown };
  return [path, ...[thing, shadow].filter((name) => typeof name === 'string')].join('/');
}
