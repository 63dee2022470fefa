import { ANONYMOUS, type Principal } from '../../../access/principal.js';
import { NO_SESSION_LIMITS, TooManySessions, type SessionLimits } from '../../../access/session-limits.js';
import type { MqttConfig } from '../../../config/config.js';
import type { Clock } from '../../../resilience/clock.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { Connection } from '../connections/connection.js';
import type { GrantedFilter } from '../subscriptions/granted-filter.js';
import { filterBytes, type Subscribers } from '../subscriptions/subscribers.js';
import { LargestTenant } from './largest-tenant.js';
import type { MemoryBudget } from './memory-budget.js';
import { Outgoing, type SharedMessage } from './message.js';
import { Session } from './session.js';
import { TenantSessions } from './tenant-sessions.js';

/** How often expired sessions are looked for, in milliseconds. */
const SWEEP_MS = 10_000;
/** Bytes of a session that outlives its connection, beside its name, about. */
const SESSION_BYTES = 400;

export interface Opening {
  readonly id: string;
  readonly principal: Principal;
  /** Clean Session or Clean Start: what was there before ends. */
  readonly clean: boolean;
  /** What the client wishes; 0: the session ends with the connection. */
  readonly expirySeconds: number;
}

export interface Opened {
  readonly session: Session;
  /** It was there before. */
  readonly isPresent: boolean;
  /** The connection that had the client identifier until now. */
  readonly previous: Connection | null;
}

/**
 * The sessions of this node, in memory and bounded. A session that is gone costs nothing but a backlog: the device resumes
 * with `get`, or with the current delta.
 */
export class SessionStore {
  /** By tenant and client identifier: identifiers of one tenant say nothing about those of another. */
  readonly #tenants = new Map<string, TenantSessions>();
  readonly #mostSessions = new LargestTenant(({ persistent }) => persistent);
  readonly #mostBytes = new LargestTenant(({ memory }) => memory.used);
  /** Sessions that outlive their connections. */
  #persistent = 0;
  #sweep: NodeJS.Timeout | null = null;
  /** A session has ended, and with it the time that its will may wait. */
  onEnded: (session: Session) => void = () => {};
  /** A session keeps its oldest message no longer, for lack of room. */
  onDropped: () => void = () => {};

  constructor(
    private readonly config: Pick<MqttConfig, 'maxSessions' | 'maxSessionMessages' | 'sessionSeconds'>,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly subscribers: Subscribers,
    private readonly budget: MemoryBudget,
    private readonly limits: SessionLimits = NO_SESSION_LIMITS,
  ) {}

  /** Sessions that outlive their connections. */
  get size(): number {
    return this.#persistent;
  }

  session(id: string, tenant = ANONYMOUS.tenant): Session | undefined {
    return this.#tenants.get(tenant)?.byId.get(id);
  }

  /** All of them, with and without a connection. */
  *all(): IterableIterator<Session> {
    for (const { byId } of this.#tenants.values()) yield* byId.values();
  }

  start(): void {
    this.#sweep ??= setInterval(() => this.expire(), SWEEP_MS).unref();
  }

  stop(): void {
    if (this.#sweep) clearInterval(this.#sweep);
    this.#sweep = null;
  }

  /**
   * Whether its principal, or its tenant, has too many sessions for one with that client identifier; null: it may have it.
   * To be called before `open`: of those that have as many as they may, the one that is away longest ends. No errors.
   */
  excess(id: string, principal: Principal): TooManySessions | null {
    const tenant = this.#tenants.get(principal.tenant);
    if (tenant === undefined || principal === ANONYMOUS) return null;
    const before = tenant.byId.get(id);
    if (before?.principal.id === principal.id) return null;
    const { ofPrincipal, ofTenant } = this.limits.of(principal.tenant);
    if (ofPrincipal > 0 && tenant.countOf(principal.id) >= ofPrincipal) {
      const own = tenant.longestAwayOf(principal.id);
      if (own === null) return new TooManySessions('principal', ofPrincipal);
      this.#end(own, 'too many sessions of its principal');
    }
    if (ofTenant === 0 || before !== undefined || tenant.byId.size < ofTenant) return null;
    const oldest = tenant.away.first;
    if (oldest === null) return new TooManySessions('tenant', ofTenant);
    this.#end(oldest, 'too many sessions of its tenant');
    return null;
  }

  /**
   * The one place where a client identifier gets its connection: afterwards exactly one has it. A session belongs to the
   * principal that began it: another one with the same identifier gets a new session.
   */
  open(connection: Connection, opening: Opening): Opened {
    const { id, principal, clean } = opening;
    const before = this.session(id, principal.tenant);
    const previous = before?.connection ?? null;
    const isOwn = before?.principal.id === principal.id;
    const isPresent = isOwn && !clean && before.expirySeconds > 0 && !this.#isOver(before);
    if (isPresent) before.detach();
    else if (before !== undefined)
      this.#end(before, !isOwn ? 'taken over by another principal' : clean ? 'ended by its client' : 'expired');
    const session = isPresent ? before : this.#begin(id, principal);
    session.principal = principal;
    session.connection = connection;
    session.address = connection.address;
    // What was allowed at another address need not be at this one.
    for (const { receiving } of session.granted) receiving.forget();
    this.#tenantOf(session).away.delete(session);
    this.setExpiry(session, opening.expirySeconds);
    return { session, isPresent, previous };
  }

  /** Bounds what a client wishes. A session that finds no room ends with its connection. */
  setExpiry(session: Session, wished: number): void {
    let seconds = Math.min(wished, this.config.sessionSeconds);
    if (seconds > 0 && session.expirySeconds === 0 && !this.#hasRoom(this.#tenantOf(session))) {
      this.logger.warn({ clientId: session.id, reason: 'too-many-sessions' }, 'session is not kept');
      seconds = 0;
    }
    this.#persist(session, seconds > 0);
    session.expirySeconds = seconds;
  }

  /** The connection of a session has ended. */
  left(session: Session): void {
    if (session.expirySeconds === 0) return this.#end(session, null);
    session.detach();
    session.offlineSince = this.clock.monotonic();
    this.#tenantOf(session).away.add(session);
  }

  /** @returns false: there is no memory for it */
  subscribe(granted: GrantedFilter): boolean {
    const { session, filter } = granted;
    const tenant = this.#tenantOf(session);
    const before = session.grantedFor(filter);
    if (before === undefined) {
      const bytes = filterBytes(filter);
      tenant.memory.add(bytes);
      if (!this.#makeRoomFor(tenant, null)) {
        tenant.memory.add(-bytes);
        return false;
      }
    } else this.subscribers.remove(before);
    // `concat` makes a list of just that length; a literal with a spread has room for sixteen more.
    session.granted = session.granted.filter((each) => each !== before).concat(granted);
    this.subscribers.add(granted);
    return true;
  }

  /** Whether there was such a subscription. */
  unsubscribe(session: Session, filter: string): boolean {
    const granted = session.grantedFor(filter);
    if (granted === undefined) return false;
    session.granted = session.granted.filter((each) => each !== granted);
    this.#drop(granted);
    return true;
  }

  /** Queues a message of QoS 1 that the session keeps until it is acknowledged. */
  keep(session: Session, message: SharedMessage, identifiers: readonly number[] | null): void {
    if (session.keep(new Outgoing(message, 1, identifiers), message)) this.onDropped();
    if (this.budget.isExceeded) this.#makeRoomFor(this.#tenantOf(session), session);
  }

  /**
   * Ends sessions of the tenant that uses most of the budget, those that are away longest, until it is met. The next CONNACK
   * tells a client that its session has ended.
   * @returns whether it is met
   */
  makeRoom(): boolean {
    return this.#makeRoomFor(null, null);
  }

  /** The feed had a hole: connected clients get the present state now, sessions without a connection when they resume. */
  missed(): void {
    for (const { away } of this.#tenants.values()) for (const session of away) session.hasMissed = true;
  }

  /** Ends a session whose principal may no longer act. Its connection has to be ended before. */
  withdraw(session: Session): void {
    if (!session.isEnded) this.#end(session, 'access withdrawn');
  }

  /** Ends the sessions that were without a connection for as long as they may be. */
  expire(): void {
    const over: Session[] = [];
    for (const { away } of this.#tenants.values())
      for (const session of away) if (this.#isOver(session)) over.push(session);
    // The end of one may carry out a will, and so end others.
    for (const session of over) if (!session.isEnded && this.#isOver(session)) this.#end(session, 'expired');
  }

  #isOver({ connection, offlineSince, expirySeconds }: Session): boolean {
    return connection === null && this.clock.monotonic() - offlineSince >= expirySeconds * 1000;
  }

  #begin(id: string, principal: Principal): Session {
    const name = principal.tenant;
    const tenant = this.#tenants.get(name) ?? new TenantSessions(this.budget);
    this.#tenants.set(name, tenant);
    const session = new Session(id, principal, this.config.maxSessionMessages, tenant.memory);
    tenant.add(session);
    return session;
  }

  /** Of a session that has not ended. */
  #tenantOf({ principal }: Session): TenantSessions {
    const tenant = this.#tenants.get(principal.tenant);
    if (tenant === undefined) throw new Error('the session has ended');
    return tenant;
  }

  #hasRoom(newcomer: TenantSessions): boolean {
    if (this.#persistent < this.config.maxSessions) return true;
    const oldest = this.#mostSessions.of(this.#tenants, newcomer)?.away.first ?? null;
    if (oldest !== null) this.#end(oldest, 'too many sessions');
    return oldest !== null;
  }

  /** As makeRoom, for a tenant; when it uses most itself, the oldest messages of `receiver` go, of which CONNACK says nothing. */
  #makeRoomFor(newcomer: TenantSessions | null, receiver: Session | null): boolean {
    while (this.budget.isExceeded) {
      const oldest = this.#mostBytes.of(this.#tenants, newcomer)?.away.first ?? null;
      if (oldest !== null) this.#end(oldest, 'too many bytes');
      else if (!receiver?.dropOldest()) return false;
      else this.onDropped();
    }
    return true;
  }

  #persist(session: Session, isPersistent: boolean): void {
    const wasPersistent = session.expirySeconds > 0;
    if (isPersistent === wasPersistent) return;
    const tenant = this.#tenantOf(session);
    const by = isPersistent ? 1 : -1;
    this.#persistent += by;
    tenant.persistent += by;
    tenant.memory.add(by * (SESSION_BYTES + session.id.length));
  }

  /** @param reason null: it ends with its connection, as it should */
  #end(session: Session, reason: string | null): void {
    const { id: clientId, kept, principal } = session;
    const tenant = this.#tenantOf(session);
    for (const granted of session.granted) this.#drop(granted);
    session.granted = [];
    this.#persist(session, false);
    session.clear();
    tenant.delete(session);
    if (tenant.byId.size === 0) this.#tenants.delete(principal.tenant);
    session.connection = null;
    session.isEnded = true;
    if (session.expirySeconds > 0 && reason !== null)
      this.logger.info({ clientId, reason, waiting: kept, dropped: session.takeDropped() }, 'session ended');
    session.expirySeconds = 0;
    this.onEnded(session);
  }

  #drop(granted: GrantedFilter): void {
    this.subscribers.remove(granted);
    this.#tenantOf(granted.session).memory.add(-filterBytes(granted.filter));
  }
}
