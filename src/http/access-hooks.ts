import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ACTION, type ActionName } from '../access/action.js';
import { AUDIT, type Audit } from '../access/audit.js';
import { AUTHENTICATOR, type Authenticator, type Credentials, type Identity } from '../access/authenticator.js';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { POLICY_ACTIONS } from '../access/policy-action.js';
import type { Principal } from '../access/principal.js';
import type { PolicyAction } from '../access/policy-action.js';
import { covers } from '../access/scopes.js';
import { IN_FLIGHT_LIMITS, type InFlightLimits } from '../access/in-flight-limits.js';
import { RATE_LIMITS, type RateLimits } from '../access/rate-limits.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { bodyOf, targetOf, thingOf } from './caller.js';
import { tenantOf } from './record-request.js';
import { isAudited, RequestAudit } from './request-audit.js';
import { hasBody, sentHead } from './request-head.js';
import { RequestPlaces } from './request-places.js';
import { controllerMethods, routesOf } from './server/controller-methods.js';
import { answerLast } from './server/last-answer.js';
import { keptCertificateOf } from './tls/peer-certificate.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What its caller must be allowed to do; none: the path does not exist. */
    action?: ActionName;
  }
}

type Asked = Exclude<ActionName, 'public'>;

/** Records that hold for all tenants. */
const OF_ALL_TENANTS = /^(?:token-policy|route-list):/;

/** RFC 6750 section 2.1. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i;
/** As nearly all clients write it. */
const USUAL_BEARER = /^Bearer [A-Za-z0-9._-]+$/;
const BEARER_LENGTH = 'Bearer '.length;

/**
 * Finds out who sends a request, and asks whether it may do what its route declares, before its body is read. A signature
 * covers the body, and is judged when that is there. To be called before the application is initialised, which adds the
 * routes.
 */
export function addAccessHooks(app: NestFastifyApplication, server: FastifyInstance): void {
  const authenticator = app.get<Authenticator>(AUTHENTICATOR, { strict: false });
  const authorizer = app.get<Authorizer>(AUTHORIZER, { strict: false });
  if (!authenticator.isRequired) return;
  const audit = new RequestAudit(app.get<Audit>(AUDIT, { strict: false }));
  const clock = app.get<Clock>(CLOCK, { strict: false });
  const limits = app.get<RateLimits>(RATE_LIMITS, { strict: false });
  const places = new RequestPlaces(app.get<InFlightLimits>(IN_FLIGHT_LIMITS, { strict: false }));
  const { signatures } = authenticator;
  const isSigned = ({ headers: { authorization } }: FastifyRequest): boolean =>
    authorization !== undefined && signatures?.isSignature(authorization) === true;
  declareActions(app, server, audit);
  const judge = (
    identity: Identity,
    action: Asked,
    request: FastifyRequest,
    reply: FastifyReply,
  ): ServiceError | null => {
    const isKnown = !(identity instanceof ServiceError);
    const fault = isKnown ? faultOf(authorizer, identity, action, request) : identity;
    if (isKnown && identity.graceFrom !== undefined && identity.graceFrom <= clock.now())
      void reply.header('umbra-token', 'renew');
    const refusal = fault ?? (isKnown ? excessOf({ limits, places }, identity, action, request, reply) : null);
    if (refusal === null) return null;
    refuse(refusal, request, reply);
    audit.refused(request, action, refusal, isKnown);
    return refusal;
  };
  server.addHook('onRequest', (request, reply, done) => {
    const action = askedOf(request);
    if (action === null || isSigned(request)) return done();
    const fail = (error: unknown): void => done(error as Error);
    let fault: ServiceError | null;
    try {
      const identity = authenticator.authenticate(credentialsOf(request));
      if (identity instanceof Promise)
        return void identity
          .then((known) => judge(known, action, request, reply))
          .then((late) => done(late ?? undefined), fail);
      fault = judge(identity, action, request, reply);
    } catch (error) {
      return fail(error);
    }
    done(fault ?? undefined);
  });
  if (signatures === null) return;
  server.addHook('preHandler', (request, reply, done) => {
    const action = isSigned(request) ? askedOf(request) : null;
    if (action === null) return done();
    let fault: ServiceError | null;
    try {
      fault = judge(signatures.ofRequest(sentHead(request.raw), bodyOf(request)), action, request, reply);
    } catch (error) {
      return done(error as Error);
    }
    done(fault ?? undefined);
  });
}

/** Tells each route what its caller must be allowed to do, and keeps how calls of audited ones ended. */
function declareActions(app: NestFastifyApplication, server: FastifyInstance, audit: RequestAudit): void {
  const actions = declaredActions(app);
  server.addHook('onRoute', (route) => {
    const method = [route.method].flat().join();
    const action = route.config?.action ?? actions.get(`${method === 'HEAD' ? 'GET' : method} ${route.url}`);
    // What nobody has declared would be open to everybody.
    if (action === undefined) throw new Error(`The route ${method} ${route.url} declares no action`);
    route.config = { ...route.config, action };
    if (action !== 'public' && isAudited(action)) {
      route.onSend = (request, reply, _payload, done) => {
        audit.answered(request, reply, action);
        done();
      };
    }
  });
}

/** Null: everybody may. Paths that do not exist declare nothing. */
function askedOf({ routeOptions }: FastifyRequest): Asked | null {
  const { action } = routeOptions.config;
  return action === undefined || action === 'public' ? null : action;
}

/** By `METHOD /path`. */
function declaredActions(app: NestFastifyApplication): Map<string, ActionName> {
  const actions = new Map<string, ActionName>();
  for (const { type, handler } of controllerMethods(app)) {
    const action = Reflect.getMetadata(ACTION, handler) as ActionName | undefined;
    for (const route of action === undefined ? [] : routesOf(type, handler)) actions.set(route, action as ActionName);
  }
  return actions;
}

function credentialsOf({ headers, raw, ip }: FastifyRequest): Credentials {
  const { authorization } = headers;
  return {
    userName: null,
    password: null,
    bearer: authorization === undefined ? null : bearerOf(authorization),
    certificate: keptCertificateOf(raw.socket),
    address: ip,
  };
}

/** The token; empty: there is none that could be one. */
function bearerOf(authorization: string): string {
  // A match with its groups costs five times as much as the question alone.
  if (USUAL_BEARER.test(authorization)) return authorization.slice(BEARER_LENGTH);
  return BEARER.exec(authorization)?.[1] ?? '';
}

/** Null: the principal may do it. */
function faultOf(
  authorizer: Authorizer,
  principal: Principal,
  action: Asked,
  request: FastifyRequest,
): ServiceError | null {
  const name = POLICY_ACTIONS[action];
  // Of the caller, also for what its answer may say of it.
  request.principal = principal;
  if (name === null) return authorizer.isActive(principal) ? null : new ServiceError('credentialsRevoked');
  const resource = resourceOf(action, name, request);
  const isAllowed =
    resource === null
      ? authorizer.mayEver(principal, name)
      : authorizer.allows(principal, name, resource, { address: request.ip });
  if (isAllowed) return null;
  if (!covers(principal.scopes, name)) return new ServiceError('scopeTooSmall', name);
  return new ServiceError('notAllowed', `${name} on ${resource ?? 'anything'}`);
}

/**
 * What policies are asked about. Null: a stream of everything, which brings what policies allow.
 * @throws ServiceError invalidThingName, invalidShadowName, invalidRequest
 */
function resourceOf(action: Asked, name: PolicyAction, request: FastifyRequest): string | null {
  if (action === 'tenant:list' || OF_ALL_TENANTS.test(action)) return 'tenant/*';
  if (name.startsWith('umbra:Admin')) return `tenant/${tenantOf(request)}`;
  const { thing } = request.params as { thing?: string };
  if (thing === undefined) return action === 'shadow:watch' ? null : 'thing/*';
  const isOfThing = action.startsWith('thing:') || action === 'shadow:list';
  if (isOfThing) return `thing/${thingOf(request)}`;
  if (action === 'shadow:watch' && !request.routeOptions.url?.includes('/shadow/')) return null;
  const { key } = targetOf(request);
  return key.name === null ? `thing/${key.thing}` : `thing/${key.thing}/${key.name}`;
}

/** What callers may ask for a second, and at once. */
interface Bounds {
  readonly limits: RateLimits;
  readonly places: RequestPlaces;
}

/** Counts what policies allow. Null: there is room for it. */
function excessOf(
  { limits, places }: Bounds,
  principal: Principal,
  action: Asked,
  request: FastifyRequest,
  reply: FastifyReply,
): ServiceError | null {
  const { thing = null } = request.params as { thing?: string };
  const excess = limits.take(principal, thing);
  if (excess !== null) {
    const { by, perSecond } = excess;
    // draft-ietf-httpapi-ratelimit-headers-10: the quota of a window in seconds, what is left of it, and until when.
    void reply.header('ratelimit-policy', `"${by}";q=${perSecond};w=1`).header('ratelimit', `"${by}";r=0;t=1`);
  }
  // A stream is not waited for.
  return excess ?? (action.endsWith(':watch') ? null : places.take(request, reply, principal));
}

/** RFC 9110 section 15.5.2: a 401 says how to authenticate. The body of a request that is refused is not waited for. */
function refuse({ status, code }: ServiceError, request: FastifyRequest, reply: FastifyReply): void {
  const { authorization } = request.headers;
  // RFC 6750 sections 3 and 3.1: without a token no error is named. Clients get a new token when they read this one.
  const challenge =
    authorization !== undefined && BEARER.test(authorization) ? 'Bearer error="invalid_token"' : 'Bearer';
  if (status === 401) void reply.header('www-authenticate', challenge);
  if (code === 'scopeTooSmall') void reply.header('www-authenticate', 'Bearer error="insufficient_scope"');
  if (hasBody(request.raw)) answerLast(request, reply);
}
