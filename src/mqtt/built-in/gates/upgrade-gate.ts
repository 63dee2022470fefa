import type { IncomingMessage } from 'node:http';
import type { Audit } from '../../../access/audit.js';
import type { Authenticator, Identity } from '../../../access/authenticator.js';
import type { RouteGuard } from '../../../access/route-guard.js';
import { ServiceError } from '../../../errors/service-error.js';
import { sentHead } from '../../../http/request-head.js';
import { listenerOf } from '../../../http/route-hook.js';
import type { Logger } from '../../../telemetry/logger.js';
import { addressOf } from './credentials.js';

/** Says whether a request may open a WebSocket at all, and whom it has proven. */
export class UpgradeGate {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly routes: RouteGuard,
    private readonly audit: Audit,
    private readonly logger: Logger,
  ) {}

  /** Null: the route lists let it through; to be asked before anything else. No errors. */
  closed({ socket, method = '', url = '' }: IncomingMessage): ServiceError | null {
    if (this.routes.admits(listenerOf(socket), method, url)) return null;
    const fault = new ServiceError('routeNotAllowed');
    this.#refused(fault, addressOf(socket));
    return fault;
  }

  /** Null: it is not signed, and CONNECT has to say who it is. To be asked once for each upgrade. No errors. */
  identify(request: IncomingMessage): Identity | null {
    const identity = this.#identityOf(request);
    if (identity instanceof ServiceError) this.#refused(identity, addressOf(request.socket));
    return identity;
  }

  #refused({ code, authCode = code }: ServiceError, address: string): void {
    this.logger.debug({ address, reason: code }, 'upgrade to WebSocket refused');
    this.audit.record({
      ...{ action: 'mqtt:connect', actor: null, tenant: null, target: '/mqtt' },
      ...{ address, outcome: 'refused', code: authCode },
    });
  }

  #identityOf(request: IncomingMessage): Identity | null {
    try {
      return this.authenticator.signatures?.ofUpgrade(sentHead(request)) ?? null;
    } catch (err) {
      this.logger.error({ err }, 'upgrade to WebSocket failed');
      return new ServiceError('internal');
    }
  }
}
