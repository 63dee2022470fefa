import type { Authenticator, Identity } from '../../../access/authenticator.js';
import type { Authorizer } from '../../../access/authorizer.js';
import type { Principal } from '../../../access/principal.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { Connection } from '../connections/connection.js';
import type { IncomingRequest } from '../connections/incoming-request.js';

/**
 * Takes newer tokens of clients that came with one, so that they need not connect again when that ends. MQTT 5 has AUTH
 * for it, which clients of MQTT 3.1.1 do not know, and which few libraries offer.
 */
export class RenewalGate {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly authorizer: Authorizer,
    private readonly logger: Logger,
  ) {}

  /** Settles the request: it is done when its payload is a token that counts from now on. No errors. */
  renew(connection: Connection, request: IncomingRequest): void {
    if (!this.authenticator.isRequired) return request.settle('unpublishable');
    const identity = this.#identify(connection, request.payload.toString());
    if (!(identity instanceof Promise)) return this.#settle(connection, request, identity);
    identity
      .then((known) => this.#settle(connection, request, known))
      .catch((error: unknown) => connection.fail(error));
  }

  /** As if the client connected with it, and with nothing else. */
  #identify({ address }: Connection, password: string): Identity | Promise<Identity> {
    return this.authenticator.authenticate({ userName: null, password, bearer: null, certificate: null, address });
  }

  #settle(connection: Connection, request: IncomingRequest, identity: Identity): void {
    const { session, clientId } = connection;
    if (session === null || !connection.isOpen) return request.settle('unanswered');
    const fault = identity instanceof ServiceError ? identity : this.#faultOf(connection, identity);
    if (identity instanceof ServiceError || fault !== null) {
      request.refusal = fault;
      return request.settle('unpublishable');
    }
    connection.principal = identity;
    session.principal = identity;
    this.logger.debug({ clientId, principal: identity.id }, 'session renewed');
    request.settle('done');
  }

  /** Null: it may take the place of what the connection goes by. */
  #faultOf({ principal, clientId, address, session }: Connection, next: Principal): ServiceError | null {
    if (next.id !== principal.id || next.tenant !== principal.tenant) return new ServiceError('boundToken');
    if (!isRenewable(principal))
      return new ServiceError('credentialsMissing', ': this connection has no token to renew');
    if (!isRenewable(next)) return new ServiceError('credentialsMissing', ': send an access token');
    // It was renewed with this one, and the PUBACK was lost.
    if (next.credential === principal.credential) return null;
    if (next.expiresAt <= principal.expiresAt)
      return new ServiceError('credentialsMissing', ': the token does not end later than the present one');
    const asked = { clientId, address, connect: session?.connect };
    return this.authorizer.allows(next, 'iot:Connect', `client/${clientId}`, asked)
      ? null
      : new ServiceError('mayNotConnect');
  }
}

const isRenewable = (principal: Principal): principal is Principal & { readonly expiresAt: number } =>
  principal.isRenewable === true && principal.expiresAt !== undefined;
