import type { Etcd3 } from 'etcd3';
import type { EtcdConfig } from '../../../config/config.js';
import { BackOff } from '../../../resilience/back-off.js';
import type { Health } from '../../../telemetry/health.js';
import type { FeedMetrics } from '../../../telemetry/feed-metrics.js';
import type { Logger } from '../../../telemetry/logger.js';
import { reasonOf } from '../../../telemetry/reason.js';
import type { Position } from '../../position.js';
import {
  FeedGap,
  type BaseProgress,
  type FeedBatch,
  type FeedRecord,
  type ShadowFeed,
  type ShadowFilter,
} from '../../shadow-feed.js';
import type { ShadowRecord } from '../../shadow-store.js';
import { withValidToken } from '../client/etcd-tokens.js';
import type { Channel } from '../client/channel/etcd-channel.js';
import type { Lineage } from '../lineage.js';
import { presencePrefix, shadowsPrefix } from '../keys.js';
import { BaseState } from './base-state.js';
import type { FeedLag } from './feed-lag.js';
import { FeedStream, type OpenWatch } from './feed-stream.js';
import { DeletedRecords, type FindRemoval } from './deleted-records.js';
import { ProgressMarker } from './progress-marker.js';
import { RecordDecoder, type KnownValues } from './record-decoder.js';
import { RestoreDetector, type EtcdCalls } from './restore-detector.js';
import type { RawRevision } from './revision-assembler.js';
import { WATCH_TIMES, WatchEnd, WatchSession, type WatchTimes } from './watch-session.js';

export interface FeedOptions {
  readonly config: EtcdConfig;
  /** A new client of one member, which the feed closes. */
  readonly connect: (host: string) => Etcd3;
  /** A new channel to one member for a watch, which the feed closes. */
  readonly openChannel: (host: string) => Channel;
  readonly calls: EtcdCalls;
  readonly history: Lineage;
  readonly logger: Logger;
  readonly times?: WatchTimes;
  /** Replaces parsing for values that the node knows already, above all its own writes. */
  readonly known?: KnownValues;
  /** The removals of this node without a tombstone. */
  readonly removed?: FindRemoval;
  readonly metrics?: FeedMetrics;
  /** How far the feed is behind the own commits. */
  readonly lag?: FeedLag;
}

/** One `after` stream: its place and its health. */
interface Follower {
  readonly start: Position;
  /** Last revision that the reader has received. */
  cursor: number;
  readonly backOff: BackOff;
  /** Counts through the members; each stream rotates by itself. */
  member: number;
  /** The member that it follows, or tries to. */
  host: string;
  ok: boolean;
  reason: string;
  /** It has followed a member before. */
  wasLive: boolean;
  /** When the stream began, in milliseconds of the monotonic clock. */
  readonly since: number;
}

const BASE_ATTEMPTS = 3;
/** Milliseconds: pauses before the next member. */
const BACK_OFF = { first: 50, longest: 1_000 };
/** Milliseconds for a stream to show by itself that it has caught up, before the marker is written. */
const MARKER_MS = 250;
/** Milliseconds for a new stream to find a member that serves it, before it counts as in trouble. */
const OPENING_MS = 5_000;

export class EtcdShadowFeed implements ShadowFeed {
  readonly hasPresence = true;
  readonly #history: RestoreDetector;
  readonly #decoder: RecordDecoder;
  readonly #base: BaseState;
  readonly #deleted: DeletedRecords;
  readonly #times: WatchTimes;
  readonly #followers = new Set<Follower>();
  readonly #marker: ProgressMarker;

  constructor(private readonly options: FeedOptions) {
    const { config, calls, history, logger } = options;
    this.#history = new RestoreDetector(calls, config.prefix, history, logger);
    this.#decoder = new RecordDecoder(config.prefix, logger, options.known);
    this.#base = new BaseState(calls, config.prefix, this.#decoder);
    this.#marker = new ProgressMarker(calls, this.#decoder.marker, logger);
    this.#deleted = new DeletedRecords(calls, this.#decoder, logger, options.removed);
    this.#times = options.times ?? WATCH_TIMES;
  }

  /** Not ok when any stream has lost its member, or finds none. A stream that has just begun says nothing yet. */
  get health(): Health {
    const followers = [...this.#followers];
    const now = performance.now();
    const isInTrouble = ({ ok, wasLive, since }: Follower) => !ok && (wasLive || now - since > OPENING_MS);
    const shown = followers.find(isInTrouble) ?? followers.find(({ ok }) => ok) ?? followers[0];
    return shown ? { ok: shown.ok, reason: shown.reason } : { ok: false, reason: 'nobody follows etcd yet' };
  }

  async head(signal: AbortSignal): Promise<Position> {
    signal.throwIfAborted();
    // The answer may take seconds; a node that shuts down does not wait for it.
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
        // Before the reader has a record, a compaction only means to begin again.
        const first = await pages.next();
        return { position, records: this.#oneHistory(position, first, pages) };
      } catch (error) {
        if (!(error instanceof FeedGap) || attempt === BASE_ATTEMPTS) throw error;
      }
    }
  }

  after(position: Position, signal: AbortSignal): AsyncIterableIterator<FeedBatch> {
    const follower = this.#follower(position);
    return new FeedStream(
      {
        begun: () => void this.#followers.add(follower),
        ended: () => void this.#followers.delete(follower),
        open: () => this.#watch(follower, signal),
        deleted: (revisions) => this.#deleted.of(revisions, follower.start),
        batch: (raw, deleted) => this.#batch(raw, follower, deleted),
        gapOf: (error) => this.#gapOf(error),
        lost: (error) => this.#lost(follower, error),
      },
      signal,
    );
  }

  /** Follows the next member from the cursor on. @throws WatchEnd, FeedGap, and whatever the member answers */
  async #watch(follower: Follower, signal: AbortSignal): Promise<OpenWatch> {
    const host = this.#nextHost(follower);
    const client = this.options.connect(host);
    const channel = this.options.openChannel(host);
    let session: WatchSession | null = null;
    let marker: NodeJS.Timeout | undefined;
    const close = (): void => {
      clearInterval(marker);
      signal.removeEventListener('abort', close);
      session?.close();
      client.close();
      channel.close();
    };
    signal.addEventListener('abort', close, { once: true });
    try {
      const head = await withValidToken(() => this.#history.verify(client));
      client.close();
      this.#checkHistory(follower, head);
      session = await this.#open(host, channel, follower);
      signal.throwIfAborted();
      follower.ok = true;
      follower.wasLive = true;
      follower.reason = `following ${host}`;
      const opened = session;
      marker = setInterval(() => this.#mark(host, opened, follower, head.revision), MARKER_MS);
      return { read: () => opened.read(), close };
    } catch (error) {
      close();
      throw error;
    }
  }

  #open(host: string, channel: Channel, follower: Follower): Promise<WatchSession> {
    return WatchSession.open({
      channel,
      prefix: shadowsPrefix(this.options.config.prefix),
      from: presencePrefix(this.options.config.prefix),
      cluster: follower.start.cluster,
      cursor: follower.cursor,
      times: this.#times,
      quorum: async () => {
        const head = await this.#history.head();
        if (head.epoch === follower.start.epoch) return head.revision;
        throw new WatchEnd('other-history', `follows epoch ${follower.start.epoch}; now it is ${head.epoch}`);
      },
      poke: (session) => void this.#advance(host, session),
    });
  }

  #batch(raw: RawRevision, follower: Follower, deleted: readonly ShadowRecord[]): FeedBatch {
    const { revision, puts } = raw;
    const { cluster, epoch } = follower.start;
    // Another stream, or this one's probe, may have seen a restored backup.
    if (epoch !== this.#history.epoch) throw new FeedGap('epoch-changed');
    follower.backOff.reset();
    this.options.lag?.reached(revision, performance.now());
    this.#history.observe(revision, puts.at(-1));
    const position = { cluster, epoch, revision };
    const records = this.#decode(puts, position, deleted);
    follower.cursor = revision;
    // The records that were deleted are not among its bytes.
    if (records.length === 0 || raw.deletes.length > 0) return { position, records };
    return { position, records, packed: { bytes: raw.bytes, unpacker: this.#decoder } };
  }

  #decode(puts: RawRevision['puts'], position: Position, deleted: readonly ShadowRecord[]): FeedRecord[] {
    const { metrics } = this.options;
    const start = metrics === undefined ? 0 : performance.now();
    const records: FeedRecord[] = [...deleted];
    for (const put of puts) {
      const record = this.#decoder.decode(put, position);
      if (record) records.push(record);
    }
    metrics?.stages.observe(metrics.stageOf.decode, performance.now() - start);
    return records;
  }

  #checkHistory(follower: Follower, head: Position): void {
    const { start, cursor } = follower;
    const known = start.cluster === head.cluster && start.epoch === head.epoch && cursor <= head.revision;
    if (!known) throw new FeedGap('epoch-changed');
  }

  /**
   * A stream that begins before the head, and has nothing to deliver up to the head, would never learn that it has
   * caught up. At most one marker a stream, shared by all streams that wait.
   */
  #mark(host: string, session: WatchSession, follower: Follower, target: number): void {
    if (follower.cursor >= target || this.#marker.covers(follower.start.epoch, target)) return;
    void this.#advance(host, session);
  }

  #advance(host: string, session: WatchSession): Promise<void> {
    return this.#marker.advance(session, this.#history.epoch, () => this.options.connect(host));
  }

  /** Ends a base over which a backup is restored: it would mix two histories. */
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
    // Nodes that start together do not all choose the first member.
    const member = Math.floor(Math.random() * this.options.config.endpoints.length);
    const trouble = { ok: false, wasLive: false, reason: 'opening a watch on etcd', since: performance.now() };
    return { start, cursor: start.revision, backOff: new BackOff(BACK_OFF), member, host: '', ...trouble };
  }

  #nextHost(follower: Follower): string {
    const { endpoints } = this.options.config;
    const host = endpoints[follower.member++ % endpoints.length];
    if (host === undefined) throw new Error('no endpoint of etcd is configured');
    follower.host = host;
    return host;
  }

  /** What a reader must know of an error; null: another member may help. */
  #gapOf(error: unknown): FeedGap | null {
    const gap = gapOf(error);
    if (gap?.reason === 'epoch-changed') this.options.lag?.reset();
    return gap;
  }

  #lost(follower: Follower, error: unknown): number {
    const { metrics } = this.options;
    const { host } = follower;
    metrics?.restarts.add(metrics.restarted[error instanceof WatchEnd ? 'lost' : 'failed']);
    const why = reasonOf(error);
    follower.ok = false;
    follower.reason = `the watch on ${host} ${error instanceof WatchEnd ? '' : 'failed: '}${why}; trying the next member`;
    this.options.logger.warn({ host, cursor: follower.cursor, reason: why }, 'lost the watch on a member of etcd');
    return follower.backOff.next();
  }
}

function gapOf(error: unknown): FeedGap | null {
  if (error instanceof FeedGap) return error;
  if (!(error instanceof WatchEnd)) return null;
  if (error.kind === 'compacted') return new FeedGap('compacted');
  return error.kind === 'other-history' ? new FeedGap('epoch-changed') : null;
}
