import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import { CONFIG, type Config } from '../../config/config.js';
import { deltaText } from '../../document/message-texts.js';
import { isTombstone } from '../../document/shadow-document.js';
import { SHADOW_STORE, type RequestOptions, type ShadowKey, type ShadowStore } from '../../store/shadow-store.js';
import { CountedLine } from '../../telemetry/counted-line.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { MqttBroker } from './broker.js';
import type { Connection } from './connections/connection.js';
import { DeltaRevisions } from './connections/delta-revisions.js';
import { deltaCover } from './subscriptions/topic-filter.js';
import { shadowTopic } from '../topics.js';

interface Job {
  readonly connection: Connection;
  readonly filter: string;
}

/** Reads of the store at once: thousands of devices may come back together. */
const CONCURRENCY = 32;
/** Named shadows of one thing that one filter brings. */
const MAX_NAMES = 100;
/** Milliseconds until what the storage could not answer is tried again. */
const RETRY_MS = 1000;

/**
 * Sends the current delta, if there is one, to one client alone: when it subscribes, when it resumes a session, and after
 * a gap in the feed. It replaces the deltas that were missed: the device converges from one message. Never an older
 * delta than one already sent on that connection.
 */
@Injectable()
export class CurrentDeltas {
  /** At most one job for a filter of a connection, so it is bounded by the subscriptions. */
  readonly #jobs = new Map<string, Job>();
  /** Jobs that the storage has not answered and that are tried again. */
  readonly #unanswered = new Set<string>();
  /** From the first job that the storage did not answer to the answer of the last one. */
  #isOutage = false;
  /** Its cause is a client, so a line for each would fill the log. */
  readonly #leftOut = new CountedLine((count) => this.logger.warn({ count }, 'current deltas left out'));
  #running = 0;
  #stopped = false;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(MqttBroker) private readonly broker: MqttBroker,
  ) {}

  start(): void {
    this.broker.onSubscribed = (connection, filters, hasMissed) => {
      if (!this.config.mqtt.deltaOnSubscribe && !hasMissed) return;
      for (const filter of filters) this.#add({ connection, filter });
    };
    this.broker.onUnsubscribed = forget;
  }

  stop(): void {
    this.#stopped = true;
    this.#jobs.clear();
    this.#leftOut.stop();
  }

  /** To every connected subscriber, and to the others when they resume. What was sent before is forgotten: revisions may have begun anew. */
  sendToAll(): void {
    this.broker.sessions.missed();
    for (const connection of this.broker.clients()) {
      connection.deltaRevisions?.clear();
      for (const { filter } of connection.session?.granted ?? []) this.#add({ connection, filter });
    }
  }

  #add(job: Job): void {
    const cover = deltaCover(job.filter);
    if (cover === null) return;
    // Not only when it is read: a delta that comes while the job waits for its turn would be sent twice.
    if (cover.classic) this.#note(job.connection, shadowTopic({ thing: cover.thing, name: null }));
    if (cover.named !== null && cover.named !== 'all')
      this.#note(job.connection, shadowTopic({ ...cover, name: cover.named }));
    this.#jobs.set(idOf(job), job);
    this.#next();
  }

  #next(): void {
    for (const [id, job] of this.#jobs) {
      if (this.#running >= CONCURRENCY || this.#stopped) return;
      this.#jobs.delete(id);
      this.#running++;
      void this.#run(job).finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }

  async #run(job: Job): Promise<void> {
    if (!this.#isWanted(job)) return void this.#unanswered.delete(idOf(job));
    try {
      for (const key of await this.#keysOf(job)) await this.#sendOne(job, key);
      this.#answered(job);
    } catch (error) {
      this.#failed(job, error);
      setTimeout(() => this.#again(job), RETRY_MS).unref();
    }
  }

  #again(job: Job): void {
    if (this.#isWanted(job)) this.#add(job);
    else this.#unanswered.delete(idOf(job));
  }

  /** One line for an outage: thousands of devices may wait for their deltas. */
  #failed(job: Job, error: unknown): void {
    this.#unanswered.add(idOf(job));
    if (this.#isOutage || this.#stopped) return;
    this.#isOutage = true;
    const { clientId } = job.connection;
    this.logger.warn({ clientId, err: error }, 'current deltas could not be read; trying again');
  }

  #answered(job: Job): void {
    this.#unanswered.delete(idOf(job));
    if (!this.#isOutage || this.#unanswered.size > 0) return;
    this.#isOutage = false;
    this.logger.info('current deltas can be read again');
  }

  /** The client may have gone, or changed its mind. */
  #isWanted({ connection, filter }: Job): boolean {
    return !this.#stopped && connection.isOpen && connection.session?.grantedFor(filter) !== undefined;
  }

  async #keysOf({ connection, filter }: Job): Promise<ShadowKey[]> {
    const cover = deltaCover(filter);
    if (cover === null) return [];
    const { tenant } = connection.principal;
    const key = (name: string | null): ShadowKey => ({ tenant, thing: cover.thing, name });
    const keys = cover.classic ? [key(null)] : [];
    if (cover.named === null) return keys;
    if (cover.named !== 'all') return [...keys, key(cover.named)];
    return [...keys, ...(await this.#namesOf(tenant, cover.thing)).map(key)];
  }

  async #namesOf(tenant: string, thing: string): Promise<string[]> {
    const names: string[] = [];
    let after: string | undefined;
    do {
      const page = await this.store.listNames(tenant, thing, MAX_NAMES - names.length, after, this.#options());
      names.push(...page.names);
      after = page.next;
    } while (after !== undefined && names.length < MAX_NAMES);
    if (after !== undefined) {
      this.logger.debug({ thing, limit: MAX_NAMES }, 'current deltas of more names left out');
      this.#leftOut.add();
    }
    return names;
  }

  async #sendOne(job: Job, key: ShadowKey): Promise<void> {
    const { connection, filter } = job;
    const topic = `${shadowTopic(key)}/update/delta`;
    if (!this.#isWanted(job)) return;
    if (!this.#note(connection, shadowTopic(key))) return this.#leftOut.add();
    const record = await this.store.get(key, this.#options());
    if (record === null || isTombstone(record.state) || !this.#isWanted(job)) return;
    const sent = connection.deltaRevisions?.get(topic);
    // Unsubscribed and subscribed again, or a hole in the feed: the deltas sent meanwhile are unknown.
    if (sent === undefined) return this.#add(job);
    if (record.position.revision <= sent) return;
    const delta = deltaText(record.state, record.change);
    if (delta === null) return;
    connection.deltaRevisions?.set(topic, record.position.revision);
    const qos = connection.session?.grantedFor(filter)?.qos ?? 1;
    this.broker.sendTo(connection, { tenant: key.tenant, topic, payload: delta }, qos);
  }

  /**
   * From here on the revisions of live deltas are noted, so that the current one cannot follow a newer one.
   * @returns whether there is room for it
   */
  #note(connection: Connection, base: string): boolean {
    const { budget, sessions } = this.broker;
    const { maxSubscriptions } = this.config.mqtt;
    connection.deltaRevisions ??= new DeltaRevisions({ budget, makeRoom: () => sessions.makeRoom(), maxSubscriptions });
    return connection.deltaRevisions.note(`${base}/update/delta`);
  }

  #options(): RequestOptions {
    return { deadline: this.clock.monotonic() + this.config.requestTimeoutMs };
  }
}

const idOf = ({ connection, filter }: Job): string => `${connection.clientId}\0${filter}`;

/** A client that subscribes again gets the current delta again; topics without a subscription keep no revision. */
function forget({ deltaRevisions }: Connection, filters: readonly string[]): void {
  if (deltaRevisions === null || deltaRevisions.size === 0) return;
  const wholeThings = new Set<string>();
  for (const filter of filters) {
    const cover = deltaCover(filter);
    if (cover === null) continue;
    const { thing, classic, named } = cover;
    if (classic) deltaRevisions.delete(`${shadowTopic({ thing, name: null })}/update/delta`);
    if (named === 'all') wholeThings.add(thing);
    else if (named !== null) deltaRevisions.delete(`${shadowTopic({ thing, name: named })}/update/delta`);
  }
  if (wholeThings.size === 0) return;
  for (const topic of deltaRevisions.topics()) {
    if (wholeThings.has(topic.split('/', 3)[2] ?? '')) deltaRevisions.delete(topic);
  }
}
