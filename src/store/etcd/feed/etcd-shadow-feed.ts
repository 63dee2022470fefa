import { setTimeout as pause } from 'node:timers/promises';
import type { Etcd3 } from 'etcd3';
import type { EtcdConfig } from '../../../config/config.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { Position } from '../../position.js';
import { FeedGap, type BaseProgress, type FeedBatch, type ShadowFeed, type ShadowFilter } from '../../shadow-feed.js';
import type { ShadowRecord } from '../../shadow-store.js';
import { withValidToken } from '../client/etcd-tokens.js';
import type { Lineage } from '../lineage.js';
import { shadowsPrefix } from '../keys.js';
import { BaseState } from './base-state.js';
import { RecordDecoder, type ReadRecord } from './record-decoder.js';
import { CALL_MS, RestoreDetector, type EtcdCalls } from './restore-detector.js';
import type { RawRevision } from './revision-assembler.js';
import { WATCH_TIMES, WatchEnd, WatchSession, type WatchTimes } from './watch-session.js';

export interface FeedOptions {
  readonly config: EtcdConfig;
  /** A new client of one member, which the feed closes. */
  readonly connect: (host: string) => Etcd3;
  readonly calls: EtcdCalls;
  readonly history: Lineage;
  readonly logger: Logger;
  readonly times?: WatchTimes;
  /** Spares the parsing of values that the node knows already, above all of its own writes. */
  readonly read?: ReadRecord;
}

/** One `after` stream: where it has got to, and how it is. */
interface Follower {
  readonly start: Position;
  cursor: number;
  failures: number;
  /** Counts through the members; each stream goes round by itself. */
  member: number;
  ok: boolean;
  reason: string;
}

const BASE_ATTEMPTS = 3;
/** Milliseconds: first and longest pause before the next member, each +-50 %. */
const BACK_OFF = { first: 50, longest: 1_000 };
/** Milliseconds that a stream gets to show by itself that it has caught up, before the marker is written. */
const MARKER_MS = 250;

export class EtcdShadowFeed implements ShadowFeed {
  readonly #history: RestoreDetector;
  readonly #decoder: RecordDecoder;
  readonly #base: BaseState;
  readonly #times: WatchTimes;
  readonly #followers = new Set<Follower>();
  /** Where the last marker was written: a restored history goes on below those of the one before. */
  #marked = { epoch: 0, revision: 0 };
  #marking = false;

  constructor(private readonly options: FeedOptions) {
    const { config, calls, history, logger } = options;
    this.#history = new RestoreDetector(calls, config.prefix, history, logger);
    this.#decoder = new RecordDecoder(config.prefix, logger, options.read);
    this.#base = new BaseState(calls, config.prefix, this.#decoder);
    this.#times = options.times ?? WATCH_TIMES;
  }

  get health(): { readonly ok: boolean; readonly reason: string } {
    // The oldest stream is the one that lasts; the others catch up and go.
    const [follower] = this.#followers;
    return follower ? { ok: follower.ok, reason: follower.reason } : { ok: false, reason: 'nobody follows etcd yet' };
  }

  async head(signal: AbortSignal): Promise<Position> {
    signal.throwIfAborted();
    // The answer may take as long as CALL_MS; a node that shuts down does not wait for it.
    return new Promise((resolve, reject) => {
      const leave = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', leave, { once: true });
      const stay = (): void => signal.removeEventListener('abort', leave);
      this.#history.head().then(resolve, reject).finally(stay);
    });
  }

  async base(
    filter: ShadowFilter,
    signal: AbortSignal,
    resume?: BaseProgress,
  ): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }> {
    if (resume) {
      const { position, after } = resume;
      const pages = this.#base.records(filter, position, signal, after);
      return { position, records: this.#oneHistory(position, await pages.next(), pages) };
    }
    for (let attempt = 1; ; attempt++) {
      const position = await this.head(signal);
      const pages = this.#base.records(filter, position, signal);
      try {
        // Before anything is handed out a compaction only means to begin again.
        const first = await pages.next();
        return { position, records: this.#oneHistory(position, first, pages) };
      } catch (error) {
        if (!(error instanceof FeedGap) || attempt === BASE_ATTEMPTS) throw error;
      }
    }
  }

  async *after(position: Position, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    const follower = this.#follower(position);
    this.#followers.add(follower);
    try {
      while (!signal.aborted) {
        const host = this.#nextHost(follower);
        try {
          yield* this.#session(host, follower, signal);
        } catch (error) {
          if (signal.aborted) return;
          if (error instanceof FeedGap) throw error;
          if (error instanceof WatchEnd && error.kind === 'compacted') throw new FeedGap('compacted');
          if (error instanceof WatchEnd && error.kind === 'other-history') throw new FeedGap('epoch-changed');
          this.#lost(follower, host, error);
        }
        await this.#backOff(follower, signal);
      }
    } finally {
      this.#followers.delete(follower);
    }
  }

  async *#session(host: string, follower: Follower, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    const client = this.options.connect(host);
    const release = (): void => client.close();
    let session: WatchSession | null = null;
    const abort = (): void => (session ? session.close() : release());
    signal.addEventListener('abort', abort, { once: true });
    let marker: NodeJS.Timeout | undefined;
    try {
      const head = await withValidToken(() => this.#history.verify(client));
      this.#checkHistory(follower, head);
      session = await this.#open(client, follower);
      if (signal.aborted) return;
      follower.ok = true;
      follower.reason = `following ${host}`;
      marker = setInterval(() => this.#mark(follower, head.revision), MARKER_MS);
      for (;;) yield* this.#batches(await session.read(), follower);
    } finally {
      clearInterval(marker);
      signal.removeEventListener('abort', abort);
      session?.close();
      release();
    }
  }

  #open(client: Etcd3, follower: Follower): Promise<WatchSession> {
    return WatchSession.open({
      client,
      prefix: shadowsPrefix(this.options.config.prefix),
      cluster: follower.start.cluster,
      cursor: follower.cursor,
      times: this.#times,
      quorum: async () => {
        const head = await this.#history.head();
        if (head.epoch === follower.start.epoch) return head.revision;
        throw new WatchEnd('other-history', `follows epoch ${follower.start.epoch}; now it is ${head.epoch}`);
      },
      poke: () => void this.#writeMarker(),
    });
  }

  *#batches(revisions: readonly RawRevision[], follower: Follower): Generator<FeedBatch> {
    const { cluster, epoch } = follower.start;
    follower.failures = 0;
    for (const { revision, puts } of revisions) {
      // Another stream, or the probe of this one, may have seen a restored backup.
      if (epoch !== this.#history.epoch) throw new FeedGap('epoch-changed');
      this.#history.observe(revision, puts.at(-1));
      const records: ShadowRecord[] = [];
      for (const kv of puts) {
        const record = this.#decoder.decode(kv, follower.start);
        if (record) records.push(record);
      }
      follower.cursor = revision;
      yield { position: { cluster, epoch, revision }, records };
    }
  }

  #checkHistory(follower: Follower, head: Position): void {
    const { start, cursor } = follower;
    const known = start.cluster === head.cluster && start.epoch === head.epoch && cursor <= head.revision;
    if (!known) throw new FeedGap('epoch-changed');
  }

  /**
   * A stream that begins behind the head, and has nothing to deliver up to there, would never learn that it has caught
   * up: progress notices come every 10 min on 3.4, and those that are asked for overtake events before 3.4.25. A key
   * written under the watched prefix comes in order on every version. It happens once per stream at most, and is
   * shared by all that wait.
   */
  #mark(follower: Follower, target: number): void {
    const marked = this.#marked.epoch === follower.start.epoch ? this.#marked.revision : 0;
    if (follower.cursor < target && marked < target) void this.#writeMarker();
  }

  async #writeMarker(): Promise<void> {
    if (this.#marking) return;
    this.#marking = true;
    const { epoch } = this.#history;
    try {
      const put = { key: Buffer.from(this.#decoder.marker), value: Buffer.from('{}') };
      const { header } = await this.options.calls.read((client) => client.kv.put(put), performance.now() + CALL_MS);
      this.#marked = { epoch, revision: Number(header.revision) };
    } catch (error) {
      this.options.logger.debug({ reason: String(error) }, 'the progress marker was not written');
    } finally {
      this.#marking = false;
    }
  }

  /** A list that goes on over a restored backup would mix two histories. */
  async *#oneHistory(
    position: Position,
    first: IteratorResult<ShadowRecord>,
    rest: AsyncIterable<ShadowRecord>,
  ): AsyncGenerator<ShadowRecord> {
    if (first.done) return;
    if (position.epoch !== this.#history.epoch) throw new FeedGap('epoch-changed');
    yield first.value;
    for await (const record of rest) {
      if (position.epoch !== this.#history.epoch) throw new FeedGap('epoch-changed');
      yield record;
    }
  }

  #follower(start: Position): Follower {
    // Nodes that start together do not all lean on the first member.
    const member = Math.floor(Math.random() * this.options.config.endpoints.length);
    return { start, cursor: start.revision, failures: 0, member, ok: false, reason: 'opening a watch on etcd' };
  }

  #nextHost(follower: Follower): string {
    const { endpoints } = this.options.config;
    const host = endpoints[follower.member++ % endpoints.length];
    if (host === undefined) throw new Error('no endpoint of etcd is configured');
    return host;
  }

  #lost(follower: Follower, host: string, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    follower.ok = false;
    follower.reason = `the watch on ${host} ${error instanceof WatchEnd ? '' : 'failed: '}${why}; trying the next member`;
    this.options.logger.warn({ host, cursor: follower.cursor, reason: why }, 'lost the watch on a member of etcd');
  }

  async #backOff(follower: Follower, signal: AbortSignal): Promise<void> {
    const ms = Math.min(BACK_OFF.first * 2 ** follower.failures++, BACK_OFF.longest) * (0.5 + Math.random());
    await pause(ms, undefined, { signal }).catch(() => undefined);
  }
}
