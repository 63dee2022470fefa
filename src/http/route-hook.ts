import type { Duplex } from 'node:stream';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { AUDIT, type Audit } from '../access/audit.js';
import { AUTHENTICATOR, type Authenticator } from '../access/authenticator.js';
import { ROUTE_GUARD, type HttpListener, type RouteGuard } from '../access/route-guard.js';
import { ServiceError } from '../errors/service-error.js';
import { hasBody } from './request-head.js';
import { answerLast } from './server/last-answer.js';

/** The listener that a connection came to. No errors. */
export const listenerOf = (socket: Duplex): HttpListener => ('encrypted' in socket ? 'https' : 'http');

/**
 * Refuses what the route lists close, before anybody is asked who they are; paths that do not exist, too. Every request
 * has its id already.
 */
export function addRouteHook(app: NestFastifyApplication, server: FastifyInstance): void {
  const { isRequired } = app.get<Authenticator>(AUTHENTICATOR, { strict: false });
  if (!isRequired) return;
  const guard = app.get<RouteGuard>(ROUTE_GUARD, { strict: false });
  const audit = app.get<Audit>(AUDIT, { strict: false });
  server.addHook('onRequest', (request, reply, done) => {
    const { method, raw } = request;
    if (guard.admits(listenerOf(raw.socket), method, raw.url ?? '')) return done();
    const fault = new ServiceError('routeNotAllowed');
    if (hasBody(raw)) answerLast(request, reply);
    audit.record({
      action: request.routeOptions.config.action ?? 'public',
      ...{ actor: null, tenant: null, target: request.url.split('?', 1)[0] ?? '', address: request.ip },
      ...{ outcome: 'refused', code: fault.authCode ?? fault.code, requestId: request.id },
    });
    done(fault);
  });
}
