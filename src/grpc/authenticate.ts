import { randomUUID } from 'node:crypto';
import {
  Metadata,
  ServerInterceptingCall,
  status,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { actorOf, type Audit } from '../access/audit.js';
import type { Authenticator, Credentials, Identity } from '../access/authenticator.js';
import type { Authorizer } from '../access/authorizer.js';
import { bearerOf } from '../access/bearer.js';
import { POLICY_ACTIONS } from '../access/policy-action.js';
import type { Principal } from '../access/principal.js';
import { notAllowed } from '../access/refusal.js';
import type { RouteGuard } from '../access/route-guard.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import type { Logger } from '../telemetry/logger.js';
import { OF_WRITES } from './grpc-call.js';
import type { GrpcConnection, GrpcConnections } from './grpc-connections.js';
import { statusOf } from './grpc-error.js';
import type { DeclaredMethod } from './grpc-handlers.js';
import { limitMessages, reset, stopSending } from './inside-call.js';

type Ending = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/** Milliseconds for the message of a call, and for the whole of one without credentials that is no health watch. */
const RECEIVE_MS = 20_000;
/** Milliseconds for a peer to take the status of a call that was ended here. */
const TAKE_MS = 1_000;
/** Bytes of the metadata of a call, as at the door of HTTP. */
const MAX_METADATA_BYTES = 16_384;
/** Bytes of a message of reflection or health. */
const MAX_PUBLIC_BYTES = 4_096;
/** Calls whose message is on its way, and milliseconds after which the oldest beyond them gives way to others. */
const MAX_AWAITED = 256;
const AWAITED_MS = 1_000;
/** Conditions of HTTP, which must not pass for some that held where nobody checks them. */
const CONDITIONS = ['if-match', 'if-none-match', ...OF_WRITES];
/** Calls that may stay open although nobody asks who makes them: balancers follow the health of a node. */
const ENDLESS = '/grpc.health.v1.Health/Watch';

/** Whose a call is, for its handler. */
export interface Caller {
  readonly principal: Principal;
  readonly address: string;
  readonly requestId: string;
  readonly connection: GrpcConnection;
}

export interface GateParts {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly audit: Audit;
  readonly routes: RouteGuard;
  readonly connections: GrpcConnections;
  /** Is told of each call that is refused before its message is read; undefined: of no method of ours. */
  readonly refused?: (method: DeclaredMethod | undefined, fault: ServiceError) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface GateTimes {
  /** Milliseconds for the message of a call. */
  readonly receiveMs?: number;
  /** Milliseconds for a peer to take the status of a call that the gate ends. */
  readonly takeMs?: number;
}

/**
 * Finds out who makes a call before its message is read. A call of a method that nobody has declared is one of
 * reflection or health, which everybody may make.
 */
export class GrpcGate {
  /** By the metadata of the call, which is the same object in its handler. */
  readonly #callers = new WeakMap<Metadata, Caller>();

  /** Those whose message is on its way, in the order in which they came: half of a message takes memory. */
  readonly #awaited = new Set<GatedCall>();
  /** Those of unknown callers, who keep none of the others out. */
  readonly #awaitedPublic = new Set<GatedCall>();

  /** @param methods by path */
  constructor(
    private readonly parts: GateParts,
    private readonly methods: ReadonlyMap<string, DeclaredMethod>,
    private readonly times: GateTimes = {},
  ) {}

  readonly intercept: ServerInterceptor = ({ path }, call) => {
    const method = this.methods.get(path);
    const gated = new GatedCall(call, path, this.parts.logger, this.times.takeMs ?? TAKE_MS);
    return gated.begin((metadata, go) => this.#receive(gated, method, metadata, go));
  };

  /** @throws Error for a call that did not pass the gate: a defect */
  callerOf(metadata: Metadata): Caller {
    const caller = this.#callers.get(metadata);
    if (caller === undefined) throw new Error('a call has passed by the gate');
    return caller;
  }

  #receive(call: GatedCall, method: DeclaredMethod | undefined, metadata: Metadata, go: () => void): void {
    if (bytesOf(metadata) > MAX_METADATA_BYTES)
      return call.refuse(new ServiceError('invalidRequest', `Metadata may have ${MAX_METADATA_BYTES} bytes`));
    const connection = this.parts.connections.of(call.ends);
    // It has closed: nobody hears an answer.
    if (connection === undefined) return call.refuse(new ServiceError('draining'));
    if (!this.parts.routes.admits(connection.listener, 'POST', call.path))
      return this.#refuse(call, method, new ServiceError('routeNotAllowed'), null);
    if (method === undefined) {
      call.isPublic(call.path !== ENDLESS);
      this.#await(call, this.#awaitedPublic);
      return go();
    }
    const unheeded = CONDITIONS.find((name) => !method.heeds.includes(name) && metadata.get(name).length > 0);
    if (unheeded !== undefined)
      return call.refuse(new ServiceError('invalidRequest', `This method takes no ${unheeded}; call it without`));
    const judge = (identity: Identity): void => {
      const fault = identity instanceof ServiceError ? identity : this.#faultOf(identity, method);
      if (fault !== null) return this.#refuse(call, method, fault, identity instanceof ServiceError ? null : identity);
      const principal = identity as Principal;
      if (principal.graceFrom !== undefined && principal.graceFrom <= this.parts.clock.now()) call.saysRenew = true;
      const { address, requestId } = call;
      this.#callers.set(metadata, { principal, address, requestId, connection });
      call.onEnd(this.parts.connections.enter(connection));
      this.#await(call, this.#awaited);
      go();
    };
    try {
      const identity = this.parts.authenticator.authenticate(credentialsOf(metadata, connection, call.address));
      if (!(identity instanceof Promise)) return judge(identity);
      identity.then(judge).catch((error: unknown) => call.fail(error));
    } catch (error) {
      call.fail(error);
    }
  }

  #await(call: GatedCall, awaited: Set<GatedCall>): void {
    awaited.add(call);
    call.awaitMessage(this.times.receiveMs ?? RECEIVE_MS, () => awaited.delete(call));
    for (const oldest of awaited) {
      if (awaited.size <= MAX_AWAITED || oldest.ageMs < AWAITED_MS) return;
      oldest.refuse(new ServiceError('overloaded', 'too many messages are on their way'));
    }
  }

  /** What is known without the message: more is asked when that is there. */
  #faultOf(principal: Principal, { action }: DeclaredMethod): ServiceError | null {
    const { authorizer } = this.parts;
    const asked = POLICY_ACTIONS[action];
    if (asked === null) return authorizer.isActive(principal) ? null : new ServiceError('credentialsRevoked');
    if (authorizer.mayEver(principal, asked)) return null;
    return notAllowed(principal, asked, 'anything');
  }

  /** @param principal null: nobody was found */
  #refuse(call: GatedCall, method: DeclaredMethod | undefined, fault: ServiceError, principal: Principal | null): void {
    const action = method?.action ?? 'public';
    const actor = principal && actorOf(principal);
    const { path: target, address, requestId } = call;
    const code = fault.authCode ?? fault.code;
    this.parts.audit.record({
      ...{ action, actor, tenant: actor?.tenant ?? null, target, address, outcome: 'refused', code, requestId },
    });
    this.parts.refused?.(method, fault);
    call.refuse(fault);
  }
}

/** One call on its way in: its id, its end, and the time for its message. */
class GatedCall {
  readonly requestId = randomUUID();
  saysRenew = false;
  /** Until the message is there, the call is answered, or its status taken: one after the other. */
  #timer: NodeJS.Timeout | null = null;
  #leave: (() => void) | null = null;
  #onMessage: (() => void) | null = null;
  /** Whether all that the peer sends has come. */
  #isWhole = false;
  /** Whether the timer is for the whole call, until its status is taken. */
  #isBrief = false;
  #isOver = false;
  readonly #since = performance.now();

  constructor(
    private readonly call: ServerInterceptingCallInterface,
    readonly path: string,
    private readonly logger: Logger,
    private readonly takeMs: number,
  ) {}

  get ends(): ReturnType<ServerInterceptingCallInterface['getConnectionInfo']> {
    return this.call.getConnectionInfo();
  }

  get address(): string {
    return this.ends.remoteAddress ?? '';
  }

  begin(receive: (metadata: Metadata, go: () => void) => void): ServerInterceptingCall {
    return new ServerInterceptingCall(this.call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, go) => receive(metadata, () => go(metadata)),
          onReceiveHalfClose: (go) => {
            this.#isWhole = true;
            this.#arrived();
            go();
          },
          onCancel: () => this.#gone(),
        }),
      sendStatus: (ending, next) => {
        const metadata = ending.metadata ?? new Metadata();
        metadata.set('x-request-id', this.requestId);
        if (this.saysRenew) metadata.set('umbra-token', 'renew');
        next({ ...ending, metadata });
        this.#end(ending.code);
      },
    });
  }

  refuse(error: ServiceError): void {
    this.#send(statusOf(error, this.requestId));
  }

  fail(error: unknown): void {
    this.logger.error({ err: error, requestId: this.requestId, path: this.path }, 'gRPC call failed');
    this.refuse(new ServiceError('internal'));
  }

  onEnd(leave: () => void): void {
    this.#leave = leave;
    if (this.#isOver) leave();
  }

  get ageMs(): number {
    return performance.now() - this.#since;
  }

  /** @param isBrief whether it ends after the time for its message, whatever the peer takes of its answers */
  isPublic(isBrief: boolean): void {
    this.#isBrief = isBrief;
    limitMessages(this.call, MAX_PUBLIC_BYTES);
  }

  /** @param onMessage called once, when the whole message has come, or never will */
  awaitMessage(ms: number, onMessage: () => void): void {
    this.#onMessage = onMessage;
    if (this.#isOver) return this.#arrived();
    this.#wait(ms);
  }

  #wait(ms: number): void {
    this.#clearTimer();
    this.#timer = setTimeout(() => this.#expire(), ms).unref();
  }

  #expire(): void {
    if (this.#isOver) return reset(this.call);
    this.#send({ code: status.DEADLINE_EXCEEDED, details: 'The call did not arrive in time', metadata: null });
  }

  #send(ending: Ending): void {
    if (this.#isOver) return;
    this.call.sendStatus(ending);
    this.#end(ending.code);
    // It stands behind answers that the peer may never take.
    this.#wait(this.takeMs);
  }

  #arrived(): void {
    if (!this.#isBrief) this.#clearTimer();
    this.#onMessage?.();
    this.#onMessage = null;
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** The status is taken, or the peer has gone. What it has sent of a message is kept while the stream is open. */
  #gone(): void {
    this.#end(status.CANCELLED);
    this.#clearTimer();
    if (!this.#isWhole) stopSending(this.call);
  }

  #end(code: status): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#arrived();
    this.#leave?.();
    if (!this.logger.isLevelEnabled('debug')) return;
    const ms = Math.round(this.ageMs * 100) / 100;
    this.logger.debug({ requestId: this.requestId, path: this.path, status: status[code], ms }, 'gRPC call');
  }
}

function credentialsOf(metadata: Metadata, connection: GrpcConnection, address: string): Credentials {
  const given = metadata.get('authorization');
  // Of several none is sure to be the caller's.
  const authorization = given.length > 1 ? '' : given[0];
  return {
    ...{ userName: null, password: null, certificate: connection.certificate, address },
    bearer: bearerOf(authorization === undefined ? undefined : String(authorization)),
  };
}

function bytesOf(metadata: Metadata): number {
  let bytes = 0;
  for (const [key, values] of Object.entries(metadata.toHttp2Headers())) {
    for (const value of [values].flat()) bytes += key.length + String(value).length;
  }
  return bytes;
}
