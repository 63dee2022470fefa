import { setTimeout as pause } from 'node:timers/promises';
import { Redis, type ChainableCommander } from 'ioredis';
import { BackOff } from '../resilience/back-off.js';
import { Fifo } from '../resilience/fifo.js';
import { Signal } from '../resilience/signal.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { Health } from '../telemetry/health.js';
import { reasonOf } from '../telemetry/reason.js';
import { PRESENCE } from '../store/presence-update.js';
import { eventHead, eventText } from '../watch/event-text.js';
import { eventId, shadowId } from './event-id.js';
import { cacheArguments, WRITE_FORWARD } from './redis-cache.js';
import { checkRedis, redisSettings, type RedisSettings } from './redis-settings.js';
import { checkHosts } from './server-address.js';
import type { OpenSink, SinkKind, SinkParts } from './sink-kind.js';

/** Milliseconds for a connection, and for the answer to a batch. */
const ANSWER_MS = 5_000;
/** Milliseconds between two attempts. */
const BACK_OFF = { first: 100, longest: 5_000 };
/** Changes of one transaction of Redis: it serves nobody else meanwhile. */
const MAX_BATCH = 100;

/** @param hosts to which sinks may connect. No errors. */
export function redisKind(hosts: readonly string[], answerMs = ANSWER_MS): SinkKind {
  return {
    name: 'redis',
    check: (given, context) => checkRedis(given, context, hosts),
    open: (stored, parts) => {
      const settings = redisSettings(stored);
      // Those of this node, now: its operator may have taken one away.
      checkHosts([String(stored.settings['server'])], hosts);
      return new RedisStreamsSink(settings, parts, answerMs);
    },
  };
}

interface Waiting {
  readonly record: ShadowRecord;
  /** When it ends, the change is not written any more: it comes again, here or to another node. */
  readonly reading: AbortSignal;
  readonly confirm: () => void;
}

/**
 * Changes as entries of a stream, and if wanted the present documents beside it. They are written in batches, each a
 * transaction of Redis, one after the other. A batch without an answer is written again, and its entries are then there
 * twice, in the same order. A document that Redis refuses is tried again alone, and holds up no other change.
 */
export class RedisStreamsSink implements OpenSink {
  readonly #waiting = new Fifo<Waiting>();
  /** Changes that are in the stream, and whose documents are not written. The window of the runner bounds them. */
  readonly #uncached = new Fifo<Waiting>();
  readonly #abort = new AbortController();
  readonly #changed = new Signal();
  readonly #connecting = new BackOff(BACK_OFF);
  readonly #redis: Redis;
  readonly #ended: Promise<unknown>;
  /** Whether the connection stands, at the right database. */
  #isOpen = false;
  #trouble: string | null = 'connecting';
  #cacheTrouble: string | null = null;

  constructor(
    private readonly settings: RedisSettings,
    private readonly parts: SinkParts,
    private readonly answerMs: number,
  ) {
    this.#redis = new Redis(this.#options());
    this.#redis.on('error', (error: unknown) => (this.#trouble = `not connected: ${reasonOf(error)}`));
    this.#redis.on('close', () => {
      this.#isOpen = false;
      this.#trouble ??= 'not connected: the connection has ended';
    });
    this.#redis.on('ready', () => void this.#enter());
    this.#ended = Promise.all([this.#work(), this.#repair()]);
  }

  get health(): Health {
    const { host, port } = this.settings;
    const trouble = this.#trouble ?? this.#cacheTrouble;
    if (trouble !== null) return { ok: false, reason: trouble };
    return { ok: true, reason: `connected to ${host}:${port}` };
  }

  deliver(record: ShadowRecord, reading: AbortSignal): Promise<void> {
    return new Promise((confirm) => {
      this.#waiting.push({ record, reading, confirm });
      this.#changed.notify();
    });
  }

  /** The present state is the last change once more. */
  converge(record: ShadowRecord, reading: AbortSignal): Promise<void> {
    return this.deliver(record, reading);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#redis.disconnect();
    await this.#ended;
  }

  /** Opens the gate for a connection that stands, when it is at its database. Never rejects. */
  async #enter(): Promise<void> {
    const { database } = this.settings;
    try {
      // The library goes on when its own SELECT fails: everything would be written to database 0.
      if (database !== 0) await this.#redis.select(database);
    } catch (error) {
      this.#trouble = `database ${database} cannot be selected: ${reasonOf(error)}`;
      if (!this.#abort.signal.aborted) this.#redis.disconnect(true);
      return;
    }
    if (this.#redis.status !== 'ready') return;
    this.#connecting.reset();
    this.#trouble = null;
    this.#isOpen = true;
    this.#changed.notify();
  }

  /** Writes batch after batch, as long as the sink is open. Never rejects. */
  async #work(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await this.#changed.until(() => this.#isOpen && this.#waiting.size > 0, { signal });
      if (!signal.aborted) await this.#write(takeSome(this.#waiting));
    }
  }

  /** Until the stream has the batch; not after the end. */
  async #write(all: readonly Waiting[]): Promise<void> {
    const { signal } = this.#abort;
    const backOff = new BackOff(BACK_OFF);
    let left = all;
    while (!signal.aborted) {
      left = this.#due(left);
      if (left.length === 0) return;
      try {
        const refused = await this.#commit(left);
        left = refused.map(({ waiting }) => waiting);
        if (refused[0]) throw refused[0].error;
        this.#trouble = null;
        return;
      } catch (error) {
        this.#trouble = `Redis does not confirm: ${reasonOf(error)}`;
        await pause(backOff.next(), undefined, { signal }).catch(() => undefined);
        await this.#changed.until(() => this.#isOpen, { signal });
      }
    }
  }

  /** Those whose readings have not ended, also when nobody has said so yet. */
  #due(waiting: readonly Waiting[]): readonly Waiting[] {
    this.parts.isOwner();
    return waiting.filter(({ reading }) => !reading.aborted);
  }

  /**
   * One transaction. Redis takes nothing back when one of its commands fails, so each change has its own outcome, and
   * what is in the stream is not written there again.
   * @returns the changes that the stream did not take
   * @throws Error when nothing was done, or when that is not known
   */
  async #commit(batch: readonly Waiting[]): Promise<readonly { waiting: Waiting; error: Error }[]> {
    const transaction = this.#redis.multi();
    for (const { record } of batch) {
      this.#add(transaction, record);
      this.#cache(transaction, record);
    }
    const answers = await transaction.exec();
    if (answers === null) throw new Error('the transaction was given up');
    let at = 0;
    return batch.flatMap((waiting) => {
      const added = answers[at++]?.[0];
      const cached = this.#isCached(waiting.record) ? answers[at++]?.[0] : null;
      // Its document goes once more with it, which changes nothing.
      if (added) return [{ waiting, error: added }];
      if (cached) this.#setAside(waiting, cached);
      else waiting.confirm();
      return [];
    });
  }

  #setAside(waiting: Waiting, error: Error): void {
    const key = (this.settings.cachePrefix ?? '') + shadowId(waiting.record);
    this.#cacheTrouble = `Redis does not take the document ${key}: ${reasonOf(error)}`;
    this.#uncached.push(waiting);
    this.#changed.notify();
  }

  /** Writes the documents that Redis has refused again, as long as the sink is open. Never rejects. */
  async #repair(): Promise<void> {
    const { signal } = this.#abort;
    const backOff = new BackOff(BACK_OFF);
    while (!signal.aborted) {
      await this.#changed.until(() => this.#isOpen && this.#uncached.size > 0, { signal });
      if (signal.aborted) return;
      const batch = this.#due(takeSome(this.#uncached));
      const pipeline = this.#redis.pipeline();
      for (const { record } of batch) this.#cache(pipeline, record);
      const answers = await pipeline.exec().catch((error: Error) => batch.map(() => [error] as const));
      const failed = batch.filter((waiting, i) => {
        const [error] = answers?.[i] ?? [new Error('no answer')];
        if (error) this.#setAside(waiting, error);
        else waiting.confirm();
        return error !== null;
      });
      if (this.#uncached.size === 0) {
        this.#cacheTrouble = null;
        backOff.reset();
      }
      if (failed.length > 0) await pause(backOff.next(), undefined, { signal }).catch(() => undefined);
    }
  }

  #add(commands: ChainableCommander, record: ShadowRecord): void {
    const { stream, maxLength } = this.settings;
    const { key, position } = record;
    const { kind, version } = eventHead(record);
    const trim = maxLength === 0 ? [] : ['MAXLEN', '~', String(maxLength)];
    const fields = {
      ...{ id: eventId(record), revision: String(position.revision), version: String(version) },
      ...{ tenant: key.tenant, thing: key.thing, shadow: key.name === PRESENCE ? '' : (key.name ?? '') },
      ...{ kind, event: eventText(record) },
    };
    commands.call('XADD', stream, ...trim, '*', ...Object.entries(fields).flat());
  }

  /** The cache has documents, and presence is none. */
  #isCached({ key }: ShadowRecord): boolean {
    return this.settings.cachePrefix !== null && key.name !== PRESENCE;
  }

  #cache(commands: ChainableCommander, record: ShadowRecord): void {
    const { cachePrefix } = this.settings;
    if (cachePrefix === null || !this.#isCached(record)) return;
    commands.eval(WRITE_FORWARD, 1, ...cacheArguments(cachePrefix, record, this.settings));
  }

  #options() {
    const { tenant, sink } = this.parts;
    const { host, port, tls, database, user, password } = this.settings;
    return {
      ...{ host, port, db: database, connectTimeout: this.answerMs, commandTimeout: this.answerMs },
      // A connection on which nothing comes is left: the other end may have forgotten it, and never closes it then.
      socketTimeout: this.answerMs,
      connectionName: `umbra:${tenant}/${sink}`,
      // What is not confirmed is written again here, in its order; the library would do it too, out of it.
      ...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
      retryStrategy: () => this.#connecting.next(),
      ...(tls && { tls: {} }),
      ...(user !== null && { username: user }),
      ...(password !== null && { password }),
    };
  }
}

/** Takes one batch at most. */
function takeSome(queue: Fifo<Waiting>): Waiting[] {
  const batch: Waiting[] = [];
  while (batch.length < MAX_BATCH) {
    const next = queue.take();
    if (next === undefined) break;
    batch.push(next);
  }
  return batch;
}
