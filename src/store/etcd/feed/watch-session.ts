import { reasonOf } from '../../../telemetry/reason.js';
import type { BidiStream } from '../client/channel/bidi-stream.js';
import type { Channel } from '../client/channel/etcd-channel.js';
import { isCompacted } from '../client/etcd-error.js';
import { rangeEnd } from '../keys.js';
import { RevisionAssembler, type RawRevision } from './revision-assembler.js';
import { createRequest, progressRequest, WATCH_PATH } from './watch-request.js';
import { decodeWatchResponse, type WatchResponse } from './watch-response.js';

/** Milliseconds. */
export interface WatchTimes {
  /** From the request for a watch to its confirmation. */
  readonly openMs: number;
  /** Between two requests for a sign of life. */
  readonly probeMs: number;
  /** Silence, or lag behind the rest of the cluster, after which the session leaves the member. */
  readonly stallMs: number;
  /**
   * For which the cluster may be ahead of the cursor before the session asks for a marker. Far below the retention of
   * etcd's history, or an idle reader would lose its place to the compaction.
   */
  readonly quietMs: number;
}

export const WATCH_TIMES: WatchTimes = { openMs: 2_000, probeMs: 3_000, stallMs: 6_000, quietMs: 60_000 };

/** `lost`: continue on another member. `compacted`, `other-history`: etcd does not have the revisions after the cursor. */
export class WatchEnd extends Error {
  override readonly name = 'WatchEnd';
  constructor(
    readonly kind: 'lost' | 'compacted' | 'other-history',
    reason: string,
  ) {
    super(reason);
  }
}

export interface SessionOptions {
  /** Used by this session alone and closed with it: a doubtful connection is never used again. */
  readonly channel: Channel;
  /** The keys that start with it are watched. */
  readonly prefix: string;
  /** Prefix of the first keys that are watched, and of all from there on up to `prefix`; absent: none before it. */
  readonly from?: string;
  readonly cluster: string;
  /** Last revision that the reader has received. */
  readonly cursor: number;
  readonly times: WatchTimes;
  /** The revision of the cluster, from a linearizable read that does not use `channel`. A WatchEnd ends the session. */
  readonly quorum: () => Promise<number>;
  /**
   * Writes a marker, which arrives as an event in order. Asked for when etcd is silent (3.4.25-3.4.30 and
   * 3.5.8-3.5.12 answer no probe on a new, quiet watch, etcd #17507), and when the cursor stays behind the cluster.
   */
  readonly poke: (session: WatchSession) => void;
}

/** Responses held for a busy reader; at this number the stream is paused, so that etcd waits. */
const MAX_HELD = 4;

/**
 * One raw watch stream on one member (ETCD 2.4). The library's own watcher resumes at the revision of the response
 * header, which is far ahead of the events during catch-up, and so loses them; this one moves only past whole
 * revisions. It never reconnects: it ends with a reason, and its owner opens the next one.
 */
export class WatchSession {
  readonly #assembler: RevisionAssembler;
  #stream: BidiStream | null = null;
  #held: RawRevision[][] = [];
  #reader: { resolve(value: RawRevision[]): void; reject(error: WatchEnd): void } | null = null;
  #opening: { resolve(): void; reject(error: WatchEnd): void } | null = null;
  #end: WatchEnd | null = null;
  #timer: NodeJS.Timeout | undefined;
  #paused = false;
  #lastFrame = performance.now();
  #lastProbe = performance.now();
  #poked = false;
  /** Highest revision that the member is known to have. */
  #memberAt = 0;
  #target = { revision: 0, since: 0, askedAt: 0 };
  #provenAt: number | null = null;
  #asking = false;
  #trustsProgress = false;
  /** When the cursor moved last, or the session asked for a marker. */
  #movedAt = performance.now();
  /** Spreads the markers of nodes that fall silent together: the first one serves them all. */
  readonly #quietMs: number;

  private constructor(private readonly options: SessionOptions) {
    this.#assembler = new RevisionAssembler(options.cursor);
    this.#quietMs = options.times.quietMs * (1 + Math.random() / 2);
  }

  /**
   * Make a unary call to the member first: it refreshes an expired token, which a stream does not (ETCD 6).
   * @throws WatchEnd
   */
  static async open(options: SessionOptions): Promise<WatchSession> {
    const session = new WatchSession(options);
    try {
      await session.#start();
      return session;
    } catch (error) {
      session.close();
      throw error instanceof WatchEnd ? error : new WatchEnd('lost', String(error));
    }
  }

  /**
   * When the member was last known to have sent all that the cluster had committed, by performance.now(); null: not yet.
   * Where progress is not ordered with events, those that it overtook are still on their way.
   */
  get provenAt(): number | null {
    return this.#provenAt;
  }

  /**
   * The next whole revisions. Revisions that arrived before the end are returned before it.
   * @throws WatchEnd
   */
  read(): Promise<RawRevision[]> {
    const held = this.#held.shift();
    if (held) {
      if (this.#held.length === 0) this.#resume();
      return Promise.resolve(held);
    }
    if (this.#end) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
  }

  /** Requested progress moves the cursor from here on. Only for a member that orders it with events. */
  trustProgress(): void {
    if (this.#end) return;
    this.#trustsProgress = true;
    this.#stream?.write(progressRequest());
  }

  /** Ends the stream and its connection; a pending read() rejects with a WatchEnd. */
  close(): void {
    this.#finish(new WatchEnd('lost', 'closed'));
  }

  async #start(): Promise<void> {
    const { channel, prefix, from = prefix, cursor, times } = this.options;
    const created = new Promise<void>((resolve, reject) => (this.#opening = { resolve, reject }));
    const late = setTimeout(() => {
      this.#finish(new WatchEnd('lost', `did not open a watch within ${times.openMs / 1000} s`));
    }, times.openMs);
    try {
      this.#stream = channel.stream(WATCH_PATH, {
        onMessage: (message) => this.#read(message),
        onEnd: (error) => this.#finish(new WatchEnd('lost', reasonOf(error))),
      });
      const key = Buffer.from(from);
      this.#stream.write(createRequest({ key, rangeEnd: rangeEnd(prefix), startRevision: cursor + 1 }));
      await created;
    } finally {
      clearTimeout(late);
      this.#opening = null;
    }
    // More often than the probes, so that a silence of stallMs is noticed at once and not a probe later.
    this.#timer = setInterval(() => this.#check(), Math.max(10, times.probeMs / 4));
  }

  /** @param message is not valid later */
  #read(message: Buffer): void {
    if (this.#end) return;
    try {
      this.#take(decodeWatchResponse(message));
    } catch (error) {
      this.#finish(new WatchEnd('lost', `sent what is no watch response: ${reasonOf(error)}`));
    }
  }

  #take(response: WatchResponse): void {
    this.#lastFrame = performance.now();
    this.#poked = false;
    const { revision, cluster } = response;
    if (cluster !== this.options.cluster) {
      return this.#finish(new WatchEnd('other-history', `belongs to cluster ${cluster}`));
    }
    if (response.canceled) return this.#finish(canceled(response));
    this.#memberAt = Math.max(this.#memberAt, revision);
    this.#prove();
    if (response.created) {
      // A linearizable read has just seen the cursor, so the member lags: this is no restored backup.
      if (revision < this.options.cursor) {
        return this.#finish(new WatchEnd('lost', `lags: it is at revision ${revision} of ${this.options.cursor}`));
      }
      return this.#opening?.resolve();
    }
    if (response.events.length > 0) return this.#deliver(this.#assembler.take(response.events, response.fragment));
    // Answers to progress requests (watch_id -1) overtake events on etcd < 3.4.25 and < 3.5.8: only a sign of life.
    const isOrdered = response.watchId !== -1 || this.#trustsProgress;
    if (isOrdered && !response.fragment) this.#deliver(this.#assembler.progress(revision));
  }

  #deliver(revisions: RawRevision[]): void {
    if (revisions.length === 0) return;
    this.#movedAt = performance.now();
    const reader = this.#reader;
    this.#reader = null;
    if (reader) return reader.resolve(revisions);
    this.#held.push(revisions);
    if (this.#held.length < MAX_HELD || this.#paused) return;
    this.#paused = true;
    this.#stream?.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#lastFrame = performance.now();
    this.#stream?.resume();
  }

  /** Checks nothing while the stream is paused: that silence is the node's own. */
  #check(): void {
    if (this.#paused || this.#end) return;
    const { times, quorum } = this.options;
    const now = performance.now();
    this.#askForMarker(now);
    if (now - this.#lastFrame > times.stallMs) {
      return this.#finish(new WatchEnd('lost', `is silent for ${times.stallMs / 1000} s`));
    }
    const behind = this.#memberAt < this.#target.revision;
    if (behind && now - this.#target.since > times.stallMs) {
      const { revision } = this.#target;
      return this.#finish(new WatchEnd('lost', `lags: it is at revision ${this.#memberAt} of ${revision}`));
    }
    if (now - this.#lastProbe < times.probeMs) return;
    this.#lastProbe = now;
    this.#stream?.write(progressRequest());
    // An isolated member answers probes for ever; only the rest of the cluster knows that this member lags.
    if (behind || this.#asking) return;
    this.#asking = true;
    quorum()
      .then((revision) => {
        this.#target = { revision, since: performance.now(), askedAt: now };
        this.#prove();
      })
      .catch((error: unknown) => error instanceof WatchEnd && this.#finish(error))
      .finally(() => (this.#asking = false));
  }

  #prove(): void {
    const { revision, askedAt } = this.#target;
    if (askedAt > 0 && this.#memberAt >= revision) this.#provenAt = askedAt;
  }

  #askForMarker(now: number): void {
    const { times, poke } = this.options;
    // Later than the answer to a probe would arrive: nothing is written to a quiet cluster without need.
    const isSilent = !this.#poked && now - this.#lastFrame > (times.probeMs + times.stallMs) / 2;
    // Other keys, leases and cursors move the revision too: without a marker the compaction would overtake the cursor.
    const isBehind = this.#target.revision > this.#assembler.cursor && now - this.#movedAt > this.#quietMs;
    if (!isSilent && !isBehind) return;
    this.#poked = true;
    this.#movedAt = now;
    poke(this);
  }

  #finish(end: WatchEnd): void {
    if (this.#end) return;
    this.#end = end;
    clearInterval(this.#timer);
    this.#stream?.cancel();
    this.options.channel.close();
    this.#opening?.reject(end);
    this.#reader?.reject(end);
    this.#reader = null;
  }
}

function canceled(response: WatchResponse): WatchEnd {
  const { cancelReason: reason, compactRevision } = response;
  // etcd 3.4 and 3.5 leave the reason of a compaction empty; the revision shows it.
  if (compactRevision !== 0 || isCompacted(new Error(reason))) {
    return new WatchEnd('compacted', `has compacted its history up to ${compactRevision}`);
  }
  return new WatchEnd('lost', `canceled the watch: ${reason || 'no reason given'}`);
}
