import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { Etcd3, IWatchRequest, IWatchResponse } from 'etcd3';
import { rangeEnd } from '../keys.js';
import { RevisionAssembler, type RawRevision } from './revision-assembler.js';

/** Milliseconds. */
export interface WatchTimes {
  /** From asking for a watch to having it. */
  readonly openMs: number;
  /** Between signs of life that are asked for. */
  readonly probeMs: number;
  /** Silence, or lag behind the rest of the cluster, after which the member is given up. */
  readonly stallMs: number;
}

export const WATCH_TIMES: WatchTimes = { openMs: 2_000, probeMs: 3_000, stallMs: 6_000 };

/** `lost`: take another member and go on. `compacted`, `other-history`: the revisions after the cursor are not there. */
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
  /** Of this session alone; closed with it, since nothing of a doubtful connection is used again. */
  readonly client: Etcd3;
  readonly prefix: string;
  readonly cluster: string;
  /** Last revision that the reader has had. */
  readonly cursor: number;
  readonly times: WatchTimes;
  /** The revision of the cluster from a linearizable read that does not use `client`. A WatchEnd ends the session. */
  readonly quorum: () => Promise<number>;
  /** Makes an event: etcd 3.4.25-3.4.30 and 3.5.8-3.5.12 answer no probe on a new watch that is quiet (#17507). */
  readonly poke: () => void;
}

type Stream = ClientDuplexStream<IWatchRequest, IWatchResponse>;

/** Responses held for a reader that is busy; then the stream is paused, and etcd waits. */
const MAX_HELD = 4;

/**
 * One raw watch stream on one member (ETCD 2.4). The library's own watcher resumes at the revision of the response
 * header, which during catch-up is far ahead of its events, and so loses them; this one moves only past whole
 * revisions. It never reconnects: it ends, with a reason, and its owner opens the next one.
 */
export class WatchSession {
  readonly #assembler: RevisionAssembler;
  #stream: Stream | null = null;
  #held: RawRevision[][] = [];
  #reader: { resolve(value: RawRevision[]): void; reject(error: WatchEnd): void } | null = null;
  #created: (() => void) | null = null;
  #end: WatchEnd | null = null;
  #timer: NodeJS.Timeout | undefined;
  #paused = false;
  #lastFrame = performance.now();
  #lastProbe = performance.now();
  #poked = false;
  /** Highest revision that the member is known to have. */
  #memberAt = 0;
  #target = { revision: 0, since: 0 };
  #asking = false;

  private constructor(private readonly options: SessionOptions) {
    this.#assembler = new RevisionAssembler(options.cursor);
  }

  /**
   * Make a unary call with the client first: it refreshes an expired token, which a stream does not (ETCD 6).
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
   * The next whole revisions. What came before the end is handed out before it.
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

  /** Ends the stream and its connection; whoever reads gets a WatchEnd. */
  close(): void {
    this.#finish(new WatchEnd('lost', 'closed'));
  }

  async #start(): Promise<void> {
    const { client, prefix, cursor, times } = this.options;
    const stream = (await client.watchClient.watch()) as unknown as Stream;
    this.#stream = stream;
    // Stays for ever: cancelling makes a last error, and an error that nobody hears ends the process.
    stream.on('error', (error: Error) => this.#finish(new WatchEnd('lost', error.message)));
    stream.on('end', () => this.#finish(new WatchEnd('lost', 'the stream ended')));
    stream.on('data', (response: IWatchResponse) => this.#take(response));
    const created = new Promise<void>((resolve, reject) => {
      this.#created = resolve;
      this.#reader = { resolve: () => undefined, reject };
    });
    const late = setTimeout(() => {
      this.#finish(new WatchEnd('lost', `did not open a watch within ${times.openMs / 1000} s`));
    }, times.openMs);
    stream.write({
      create_request: {
        key: Buffer.from(prefix),
        range_end: rangeEnd(prefix),
        start_revision: String(cursor + 1),
        progress_notify: true,
        fragment: true,
      },
    });
    try {
      await created;
    } finally {
      clearTimeout(late);
      this.#reader = null;
    }
    // Finer than the probes, so that silence is noticed when it is as long as stallMs and not a probe later.
    this.#timer = setInterval(() => this.#check(), Math.max(10, times.probeMs / 4));
  }

  #take(response: IWatchResponse): void {
    if (this.#end) return;
    this.#lastFrame = performance.now();
    this.#poked = false;
    const revision = Number(response.header.revision);
    if (response.header.cluster_id !== this.options.cluster) {
      return this.#finish(new WatchEnd('other-history', `belongs to cluster ${response.header.cluster_id}`));
    }
    if (response.canceled) return this.#finish(canceled(response));
    this.#memberAt = Math.max(this.#memberAt, revision);
    if (response.created) {
      // A linearizable read has just seen the cursor, so this is a member that lags, not a restored backup.
      if (revision < this.options.cursor) {
        return this.#finish(new WatchEnd('lost', `lags: it is at revision ${revision} of ${this.options.cursor}`));
      }
      return this.#created?.();
    }
    try {
      if (response.events.length > 0) return this.#deliver(this.#assembler.take(response.events, response.fragment));
    } catch (error) {
      return this.#finish(new WatchEnd('lost', String(error)));
    }
    // Answers to progress requests (watch_id -1) overtake events on etcd < 3.4.25 and < 3.5.8: a sign of life only.
    if (response.watch_id !== '-1' && !response.fragment) this.#deliver(this.#assembler.progress(revision));
  }

  #deliver(revisions: RawRevision[]): void {
    if (revisions.length === 0) return;
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

  /** The silence of a stream that we paused ourselves says nothing. */
  #check(): void {
    if (this.#paused || this.#end) return;
    const { times, quorum, poke } = this.options;
    const now = performance.now();
    // Later than the answer to a probe would be: a quiet cluster must not be written to for nothing.
    if (!this.#poked && now - this.#lastFrame > (times.probeMs + times.stallMs) / 2) {
      this.#poked = true;
      poke();
    }
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
    this.#stream?.write({ progress_request: {} });
    // An isolated member answers probes for ever; only the rest of the cluster knows that it was left behind.
    if (behind || this.#asking) return;
    this.#asking = true;
    quorum()
      .then((revision) => (this.#target = { revision, since: performance.now() }))
      .catch((error: unknown) => error instanceof WatchEnd && this.#finish(error))
      .finally(() => (this.#asking = false));
  }

  #finish(end: WatchEnd): void {
    if (this.#end) return;
    this.#end = end;
    clearInterval(this.#timer);
    this.#stream?.cancel();
    this.options.client.close();
    this.#reader?.reject(end);
    this.#reader = null;
  }
}

function canceled(response: IWatchResponse): WatchEnd {
  const reason = response.cancel_reason;
  // The reason of a compaction is empty on 3.4 and 3.5 alike; the revision tells.
  if (response.compact_revision !== '0' || reason.includes('required revision has been compacted')) {
    return new WatchEnd('compacted', `has compacted its history up to ${response.compact_revision}`);
  }
  return new WatchEnd('lost', `canceled the watch: ${reason || 'no reason given'}`);
}
