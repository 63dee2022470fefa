import type { CallOptions } from '@grpc/grpc-js';
import type { Etcd3 } from 'etcd3';
import { setTimeout as pause } from 'node:timers/promises';
import { pauseAfter } from '../../../resilience/back-off.js';
import type { Clock } from '../../../resilience/clock.js';
import type { EtcdConfig } from '../../../config/config.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Health } from '../../../telemetry/health.js';
import type { Logger } from '../../../telemetry/logger.js';
import { EtcdMetrics } from '../../../telemetry/storage-metrics.js';
import { reasonOf } from '../../../telemetry/reason.js';
import { CallCounts } from './call-counts.js';
import { EtcdChannel, type Channel } from './channel/etcd-channel.js';
import { createEtcdClient, type EtcdCredentials } from './etcd-client.js';
import { classify, needsNewClient } from './etcd-error.js';
import { EtcdTokens, withValidToken } from './etcd-tokens.js';
import { LiveCredentials } from './live-credentials.js';
import { TXN_PATH } from './protobuf/txn-request.js';
import { unlessHung } from './unless-hung.js';

/** Milliseconds that are too short for one more attempt. */
const MARGIN_MS = 20;
/** Milliseconds between attempts; the pause doubles with each round over all hosts. */
const PAUSES = { first: 10, longest: 200 };

/**
 * Milliseconds for which calls do not go back to a member that has failed only because it leads; twice as many with each
 * failure after such a return, since a member may answer whoever asks for its status and nobody else.
 */
const AVOID = { first: 10_000, longest: 600_000 };

/** A member that has failed: until when it is avoided, in milliseconds of the monotonic clock, and for how long. */
interface Avoided {
  readonly until: number;
  readonly ms: number;
}

/** Milliseconds that a question whether etcd answers takes at least: a single member may need a second call, too. */
const STATUS_MS = 1_000;

/** Milliseconds between two log lines about failing members. */
const REPORT_MS = 1_000;

/**
 * One member, the client for it, and the channel for the calls of the hot path. A new client is a new Member: a caller
 * with the old one cannot spoil it. The channel renews its connection itself.
 */
export interface Member {
  readonly host: string;
  readonly client: Etcd3;
  readonly channel: Channel;
}

export type CreateClient = (host: string) => Etcd3;
export type CreateChannel = (host: string) => Channel;

/** Swapped by tests that count or refuse calls. */
export interface MemberFactories {
  readonly createClient?: CreateClient | undefined;
  readonly createChannel?: CreateChannel | undefined;
}

/**
 * One client per member. Calls go to the leader while it is known, since any other member passes them on to it; after an
 * error they go to the next member (ETCD 3.2). A member that hangs costs one call timeout. Retries end at the caller's
 * deadline.
 */
export class EtcdMembers {
  /** Milliseconds for one call to one member. */
  readonly callTimeoutMs: number;
  readonly #members: Member[];
  readonly #counts: ReadonlyMap<string, CallCounts>;
  readonly #createClient: CreateClient;
  readonly #createChannel: CreateChannel;
  /** Members that have failed, by host. */
  readonly #avoided = new Map<string, Avoided>();
  readonly #credentials: LiveCredentials;
  #at = 0;
  #closed = false;
  #lastError: string | null = null;
  #reportedAt = -Infinity;

  constructor(
    private readonly config: EtcdConfig,
    private readonly clock: Clock,
    private readonly logger: Logger,
    { createClient, createChannel }: MemberFactories = {},
    metrics = new EtcdMetrics(),
  ) {
    this.callTimeoutMs = config.callTimeoutMs;
    if (config.endpoints.length === 0) throw new Error('no etcd endpoint');
    const credentials = new LiveCredentials(config.tls, logger);
    this.#credentials = credentials;
    const ask = (host: string): Promise<string> => authenticate(host, config, credentials);
    const tokens = config.user === null ? null : new EtcdTokens(ask, config.callTimeoutMs);
    this.#createClient = createClient ?? ((host) => createEtcdClient(host, config, credentials, tokens));
    this.#createChannel = createChannel ?? ((host) => new EtcdChannel({ host, credentials, tokens }));
    this.#counts = new Map(config.endpoints.map((host) => [host, new CallCounts(metrics, host)]));
    this.#members = config.endpoints.map((host) => {
      return { host, client: this.#createClient(host), channel: this.#createChannel(host) };
    });
  }

  /**
   * Shows new certificates when their files change: at once for new clients, and for channels at their next connection.
   * Connections that are open stay.
   * @param tried is told how each attempt has ended
   * @throws Error of node:fs for a file that cannot be read
   */
  followCertificates(tried: (result: 'ok' | 'failed') => void): void {
    this.#credentials.follow(() => this.#replaceClients(), tried);
  }

  /** Those of before end when the calls that they have under way must have ended. */
  #replaceClients(): void {
    for (const [index, member] of this.#members.entries()) {
      this.#members[index] = { ...member, client: this.#createClient(member.host) };
      setTimeout(() => member.client.close(), 2 * this.callTimeoutMs).unref();
    }
  }

  /** A new client of the member at `host`, with the node's credentials and tokens; the caller closes it. */
  connect(host: string): Etcd3 {
    return this.#createClient(host);
  }

  /** A new channel to the member at `host`, with the node's credentials and tokens; the caller closes it. */
  openChannel(host: string): Channel {
    return this.#createChannel(host);
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** The member for the next call. */
  current(): Member {
    return this.#members[this.#at]!;
  }

  /** Leaves `from` after it failed, unless another caller has done so. */
  rotate(from: Member, error: unknown): void {
    this.#lastError = `${from.host}: ${reasonOf(error)}`;
    const index = this.#members.indexOf(from);
    if (index < 0 || this.#closed) return;
    this.#renew(from, error);
    if (index !== this.#at) return;
    this.#avoid(from.host);
    this.#at = (index + 1) % this.#members.length;
    this.#counts.get(from.host)?.left();
    this.#report(from.host, error);
  }

  /**
   * Calls go to this member from now on, unless it has failed lately. No errors.
   */
  prefer(host: string): void {
    const index = this.#members.findIndex((member) => member.host === host);
    if (index < 0 || index === this.#at) return;
    if (this.clock.monotonic() < (this.#avoided.get(host)?.until ?? -Infinity)) return;
    this.logger.debug({ host, former: this.current().host }, 'calls go to the leader of etcd from now on');
    this.#at = index;
  }

  #avoid(host: string): void {
    const now = this.clock.monotonic();
    const ms = avoidedFor(this.#avoided.get(host), now);
    this.#avoided.set(host, { until: now + ms, ms });
  }

  /** Gives the member a new client when the error shows that its present one is unusable. */
  #renew(member: Member, error: unknown): void {
    const index = this.#members.indexOf(member);
    if (index < 0 || this.#closed || !needsNewClient(error)) return;
    member.client.close();
    this.#members[index] = { ...member, client: this.#createClient(member.host) };
  }

  /** While etcd is away every call fails several times; one line a second is enough. */
  #report(host: string, error: unknown): void {
    const now = performance.now();
    const level = now - this.#reportedAt < REPORT_MS ? 'debug' : 'warn';
    if (level === 'warn') this.#reportedAt = now;
    const reason = reasonOf(error);
    this.logger[level]({ host, next: this.current().host, reason }, 'etcd member failed; trying the next');
  }

  /**
   * One call to one member, repeated once when its token was refused. It ends soon after `timeoutMs`, even if the
   * library hangs.
   * @throws CallHung; the errors of the library, which `classify` sorts
   */
  async call<T>(
    member: Member,
    fn: (client: Etcd3, options: CallOptions) => Promise<T>,
    timeoutMs: number = this.callTimeoutMs,
  ): Promise<T> {
    const call = () => fn(member.client, { deadline: Date.now() + timeoutMs });
    return this.#counted(member, 'other', unlessHung(withValidToken(call), member.host, timeoutMs));
  }

  /**
   * One call to one member over its channel, repeated once when its token was refused.
   * @param path such as `/etcdserverpb.KV/Txn`
   * @param message with its head
   * @returns the message of the answer: a view, and whoever keeps a part of it keeps the whole
   * @throws the errors of the library, which `classify` sorts
   */
  send(member: Member, path: string, message: Buffer, timeoutMs: number): Promise<Buffer> {
    const call = withValidToken(() => member.channel.unary(path, message, timeoutMs));
    return this.#counted(member, path === TXN_PATH ? 'txn' : 'other', call);
  }

  #counted<T>(member: Member, method: 'txn' | 'other', call: Promise<T>): Promise<T> {
    return this.#counts.get(member.host)?.of(method, call) ?? call;
  }

  /**
   * An idempotent call, sent again to the next member until `deadline` (milliseconds of the monotonic clock).
   * @throws ServiceError storageUnavailable, storageFull, draining; the error of etcd when it rejects the request
   * itself
   */
  read<T>(fn: (client: Etcd3, options: CallOptions) => Promise<T>, deadline: number): Promise<T> {
    return this.#repeat((member, timeoutMs) => this.call(member, fn, timeoutMs), deadline);
  }

  /**
   * As read(), over the channels of the members.
   * @param path such as `/etcdserverpb.KV/Txn`
   * @param message with its head
   * @param deadline milliseconds of the monotonic clock
   * @returns the message of the answer
   * @throws as read()
   */
  ask(path: string, message: Buffer, deadline: number): Promise<Buffer> {
    return this.#repeat((member, timeoutMs) => this.send(member, path, message, timeoutMs), deadline);
  }

  async #repeat<T>(attemptAt: (member: Member, timeoutMs: number) => Promise<T>, deadline: number): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const left = deadline - this.clock.monotonic();
      if (this.#closed) throw new ServiceError('draining');
      // A last attempt without time for an answer would only hide the errors of the earlier ones.
      if (left <= (attempt === 0 ? 0 : MARGIN_MS)) throw new ServiceError('storageUnavailable');
      const member = this.current();
      try {
        return await attemptAt(member, Math.min(left, this.callTimeoutMs));
      } catch (error) {
        const fault = classify(error);
        if (fault === 'storage-full') throw new ServiceError('storageFull');
        if (fault !== 'not-applied' && fault !== 'in-doubt') throw error;
        this.rotate(member, error);
        await this.pause(attempt, deadline);
      }
    }
  }

  /**
   * Waits after the failure of `attempt`, not past `deadline` (milliseconds of the monotonic clock). Jitter keeps nodes
   * from coming back in step. No errors.
   */
  async pause(attempt: number, deadline: number): Promise<void> {
    const round = Math.floor(attempt / this.#members.length);
    await pause(Math.max(0, Math.min(pauseAfter(round, PAUSES), deadline - this.clock.monotonic())));
  }

  /**
   * A linearizable read, timed; in words for an operator. Takes one call timeout per member at most, or STATUS_MS.
   * No errors.
   */
  async status(): Promise<Health> {
    const start = performance.now();
    try {
      const deadline = this.clock.monotonic() + Math.max(STATUS_MS, this.callTimeoutMs * this.#members.length);
      const probe = { key: Buffer.from(`${this.config.prefix}probe`), count_only: true };
      await this.read((client, options) => client.kv.range(probe, options), deadline);
      return { ok: true, reason: `${this.current().host} answers in ${(performance.now() - start).toFixed(1)} ms` };
    } catch (error) {
      const text = error instanceof ServiceError ? (this.#lastError ?? error.message) : String(error);
      return { ok: false, reason: `etcd does not answer: ${text}` };
    }
  }

  /** Ends the connections; retries end with `draining`. */
  close(): void {
    this.#closed = true;
    this.#credentials.close();
    for (const { client, channel } of this.#members) {
      client.close();
      channel.close();
    }
  }
}

/** Asks for a token over a connection of its own, which is closed again. */
async function authenticate(host: string, config: EtcdConfig, credentials: EtcdCredentials): Promise<string> {
  const client = createEtcdClient(host, config, credentials);
  try {
    const { token } = await client.auth.authenticate({ name: config.user ?? '', password: config.password ?? '' });
    return token;
  } finally {
    client.close();
  }
}

/** Milliseconds for which a member that fails now is avoided. */
function avoidedFor(before: Avoided | undefined, now: number): number {
  // Calls that went well for as long as that are a new begin.
  if (before === undefined || now - before.until >= before.ms) return AVOID.first;
  // It was not returned to: while all members are away, calls try each of them many times a second.
  if (now < before.until) return before.ms;
  return Math.min(2 * before.ms, AVOID.longest);
}
