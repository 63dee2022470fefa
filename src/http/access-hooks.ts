import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
  preHandlerHookHandler,
  RouteOptions,
} from 'fastify';
import type { ActionName } from '../access/action.js';
import { AUDIT, type Audit } from '../access/audit.js';
import { AUTHENTICATOR, type Authenticator, type Credentials, type Identity } from '../access/authenticator.js';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import type { Principal } from '../access/principal.js';
import { bearerOf } from '../access/bearer.js';
import { notAllowed } from '../access/refusal.js';
import { IN_FLIGHT_LIMITS, STREAM_LIMITS, type InFlightLimits } from '../access/in-flight-limits.js';
import { RATE_LIMITS, type RateLimits } from '../access/rate-limits.js';
import type { RequestSignatures } from '../access/request-signatures.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { bodyOf } from './caller.js';
import { declaredActions } from './declared-actions.js';
import { isAudited, RequestAudit } from './request-audit.js';
import { hasBody, sentHead } from './request-head.js';
import { RequestPlaces } from './request-places.js';
import { resourceOf, routeAccess, type Asked, type RouteAccess } from './route-access.js';
import { answerLast } from './server/last-answer.js';
import { isStreamed } from './server/streamed-body.js';
import { keptCertificateOf } from '../tls/peer-certificate.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What its caller must be allowed to do; none: the path does not exist. */
    action?: ActionName;
  }
}

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
  const boundsOf = (token: symbol): InFlightLimits => app.get<InFlightLimits>(token, { strict: false });
  const places = new RequestPlaces(boundsOf(IN_FLIGHT_LIMITS), boundsOf(STREAM_LIMITS));
  const { signatures } = authenticator;
  const isSigned = ({ headers: { authorization } }: FastifyRequest): boolean =>
    authorization !== undefined && signatures?.isSignature(authorization) === true;
  const judge = (
    identity: Identity,
    access: RouteAccess,
    request: FastifyRequest,
    reply: FastifyReply,
  ): ServiceError | null => {
    const isKnown = !(identity instanceof ServiceError);
    const fault = isKnown ? faultOf(authorizer, identity, access, request) : identity;
    if (isKnown && identity.graceFrom !== undefined && identity.graceFrom <= clock.now())
      void reply.header('umbra-token', 'renew');
    const refusal = fault ?? (isKnown ? excessOf({ limits, places }, identity, access, request, reply) : null);
    if (refusal === null) return null;
    refuse(refusal, request, reply);
    audit.refused(request, access.action, refusal, isKnown);
    return refusal;
  };
  /** Of callers who do not sign. */
  const beforeBody = (access: RouteAccess): onRequestHookHandler =>
    function judgeBeforeBody(request, reply, done) {
      if (isSigned(request)) return done();
      const fail = (error: unknown): void => done(error as Error);
      let fault: ServiceError | null;
      try {
        const identity = authenticator.authenticate(credentialsOf(request));
        if (identity instanceof Promise)
          return void identity
            .then((known) => judge(known, access, request, reply))
            .then((late) => done(late ?? undefined), fail);
        fault = judge(identity, access, request, reply);
      } catch (error) {
        return fail(error);
      }
      done(fault ?? undefined);
    };
  const withBody = (access: RouteAccess, ofSigned: RequestSignatures): preHandlerHookHandler =>
    function judgeWithBody(request, reply, done) {
      if (!isSigned(request)) return done();
      const identify = (): Identity =>
        isStreamed(request.raw) ? unsignable() : ofSigned.ofRequest(sentHead(request.raw), bodyOf(request));
      judged(done, () => judge(identify(), access, request, reply));
    };
  declareActions(app, server, audit, (route, action) => {
    const access = routeAccess(action, route.url);
    route.onRequest = [route.onRequest ?? [], beforeBody(access)].flat();
    if (signatures !== null) route.preHandler = [route.preHandler ?? [], withBody(access, signatures)].flat();
  });
}

/** Of a signature on a body that nobody has read when the first of it is carried out. */
const unsignable = (): ServiceError =>
  new ServiceError(
    'awsSignatureRefused',
    'it would have to cover a body that is a stream; send a key or a token instead',
  );

function judged(done: (error?: Error) => void, judge: () => ServiceError | null): void {
  let fault: ServiceError | null;
  try {
    fault = judge();
  } catch (error) {
    return done(error as Error);
  }
  done(fault ?? undefined);
}

/** Gives each route that is not public its hooks by what it declares, and keeps how calls of audited ones ended. */
function declareActions(
  app: NestFastifyApplication,
  server: FastifyInstance,
  audit: RequestAudit,
  guard: (route: RouteOptions, action: Asked) => void,
): void {
  const actions = declaredActions(app);
  server.addHook('onRoute', (route) => {
    const method = [route.method].flat().join();
    const action = route.config?.action ?? actions.get(`${method === 'HEAD' ? 'GET' : method} ${route.url}`);
    // What nobody has declared would be open to everybody.
    if (action === undefined) throw new Error(`The route ${method} ${route.url} declares no action`);
    route.config = { ...route.config, action };
    if (action === 'public') return;
    guard(route, action);
    if (isAudited(action)) {
      route.onSend = (request, reply, _payload, done) => {
        audit.answered(request, reply, action);
        done();
      };
    }
  });
}

function credentialsOf({ headers, raw, ip }: FastifyRequest): Credentials {
  const { authorization } = headers;
  return {
    userName: null,
    password: null,
    bearer: bearerOf(authorization),
    certificate: keptCertificateOf(raw.socket),
    address: ip,
  };
}

/** Null: the principal may do it. */
function faultOf(
  authorizer: Authorizer,
  principal: Principal,
  { policyAction, about }: RouteAccess,
  request: FastifyRequest,
): ServiceError | null {
  // Of the caller, also for what its answer may say of it.
  request.principal = principal;
  if (policyAction === null) return authorizer.isActive(principal) ? null : new ServiceError('credentialsRevoked');
  const resource = resourceOf(about, request);
  const isAllowed =
    resource === null
      ? authorizer.mayEver(principal, policyAction)
      : authorizer.allows(principal, policyAction, resource, { address: request.ip });
  return isAllowed ? null : notAllowed(principal, policyAction, resource ?? 'anything');
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
  { isStream }: RouteAccess,
  request: FastifyRequest,
  reply: FastifyReply,
): ServiceError | null {
  const { thing = null } = request.params as { thing?: string };
  const excess = limits.take(principal, thing);
  if (excess !== null) {
    const { by, perSecond } = excess;
    // draft-ietf-httpapi-ratelimit-headers-10: the quota of a window in seconds, what is left of it, and until when.
    void reply.header('ratelimit-policy', `"${by}";q=${perSecond};w=1`).header('ratelimit', `"${by}";r=0;t=1`);
    return excess;
  }
  return isStream ? places.takeStream(reply, principal) : places.take(request, reply, principal);
}

/** RFC 9110 section 15.5.2: a 401 says how to authenticate. The body of a request that is refused is not waited for. */
function refuse({ status, code }: ServiceError, request: FastifyRequest, reply: FastifyReply): void {
  const { authorization } = request.headers;
  // RFC 6750 sections 3 and 3.1: without a token no error is named. Clients get a new token when they read this one.
  const challenge = bearerOf(authorization) ? 'Bearer error="invalid_token"' : 'Bearer';
  if (status === 401) void reply.header('www-authenticate', challenge);
  if (code === 'scopeTooSmall') void reply.header('www-authenticate', 'Bearer error="insufficient_scope"');
  if (hasBody(request.raw)) answerLast(request, reply);
}
