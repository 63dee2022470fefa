import { setTimeout as pause } from 'node:timers/promises';
import { Redis, type ChainableCommander } from 'ioredis';
import { changeEventText } from '../document/change-event.js';
import { isTombstone } from '../document/shadow-document.js';
import { BackOff } from '../resilience/back-off.js';
import { Fifo } from '../resilience/fifo.js';
import { Signal } from '../resilience/signal.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { Health } from '../telemetry/health.js';
import { reasonOf } from '../telemetry/reason.js';
import { eventId } from './event-id.js';
import { cacheArguments, WRITE_FORWARD } from './redis-cache.js';
import { checkRedis, redisSettings, type RedisSettings } from './redis-settings.js';
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
    open: (stored, parts) => new RedisStreamsSink(redisSettings(stored), parts, answerMs),
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
 * transaction of Redis: all of it or nothing, one after the other. A batch without an answer is written again, and its
 * entries are then there twice, in the same order.
 */
export class RedisStreamsSink implements OpenSink {
  readonly #waiting = new Fifo<Waiting>();
  readonly #abort = new AbortController();
  readonly #changed = new Signal();
  readonly #redis: Redis;
  readonly #ended: Promise<void>;
  #trouble: string | null = 'connecting';

  constructor(
    private readonly settings: RedisSettings,
    parts: SinkParts,
    private readonly answerMs: number,
  ) {
    this.#redis = new Redis(this.#options(parts));
    this.#redis.on('error', (error: unknown) => (this.#trouble = `not connected: ${reasonOf(error)}`));
    this.#redis.on('close', () => (this.#trouble ??= 'not connected: the connection has ended'));
    this.#redis.on('ready', () => {
      this.#trouble = null;
      this.#changed.notify();
    });
    this.#ended = this.#work();
  }

  get health(): Health {
    const { host, port } = this.settings;
    if (this.#trouble !== null) return { ok: false, reason: this.#trouble };
    return { ok: true, reason: `connected to ${host}:${port}` };
  }

  deliver(record: ShadowRecord, reading: AbortSignal): Promise<void> {
    return new Promise((confirm) => {
      this.#waiting.push({ record, reading, confirm });
      this.#changed.notify();
    });
  }

  /** The present state is the last change once more. */
  converge(record: ShadowRecord): Promise<void> {
    return this.deliver(record, this.#abort.signal);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#redis.disconnect();
    await this.#ended;
  }

  /** Writes batch after batch, as long as the sink is open. Never rejects. */
  async #work(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const isReady = (): boolean => this.#redis.status === 'ready' && this.#waiting.peek() !== undefined;
      await this.#changed.until(isReady, { signal });
      if (signal.aborted) return;
      const batch: Waiting[] = [];
      for (let next = this.#waiting.take(); next !== undefined; next = this.#waiting.take()) {
        batch.push(next);
        if (batch.length === MAX_BATCH) break;
      }
      await this.#write(batch);
    }
  }

  /** Until Redis has the batch, and confirms it then; not after the end. */
  async #write(all: readonly Waiting[]): Promise<void> {
    const { signal } = this.#abort;
    const backOff = new BackOff(BACK_OFF);
    while (!signal.aborted) {
      const batch = all.filter(({ reading }) => !reading.aborted);
      if (batch.length === 0) return;
      try {
        const transaction = this.#redis.multi();
        for (const { record } of batch) this.#add(transaction, record);
        const answers = await transaction.exec();
        const failed =
          answers === null ? new Error('the transaction was given up') : answers.find(([error]) => error)?.[0];
        if (failed) throw failed;
        this.#trouble = null;
        for (const { confirm } of batch) confirm();
        return;
      } catch (error) {
        this.#trouble = `Redis does not confirm: ${reasonOf(error)}`;
        await pause(backOff.next(), undefined, { signal }).catch(() => undefined);
        await this.#changed.until(() => this.#redis.status === 'ready', { signal });
      }
    }
  }

  #add(transaction: ChainableCommander, record: ShadowRecord): void {
    const { stream, maxLength, cachePrefix } = this.settings;
    const { key, state, position } = record;
    const trim = maxLength === 0 ? [] : ['MAXLEN', '~', String(maxLength)];
    const fields = {
      ...{ id: eventId(record), revision: String(position.revision), version: String(state.version) },
      ...{ tenant: key.tenant, thing: key.thing, shadow: key.name ?? '' },
      ...{ kind: isTombstone(state) ? 'deleted' : 'updated', event: changeEventText(record) },
    };
    transaction.call('XADD', stream, ...trim, '*', ...Object.entries(fields).flat());
    if (cachePrefix === null) return;
    transaction.eval(WRITE_FORWARD, 1, ...cacheArguments(cachePrefix, record, this.settings));
  }

  #options({ tenant, sink }: SinkParts) {
    const { host, port, tls, database, user, password } = this.settings;
    const backOff = new BackOff(BACK_OFF);
    return {
      ...{ host, port, db: database, connectTimeout: this.answerMs, commandTimeout: this.answerMs },
      connectionName: `umbra:${tenant}/${sink}`,
      // What is not confirmed is written again here, in its order; the library would do it too, out of it.
      ...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
      retryStrategy: () => backOff.next(),
      ...(tls && { tls: {} }),
      ...(user !== null && { username: user }),
      ...(password !== null && { password }),
    };
  }
}
