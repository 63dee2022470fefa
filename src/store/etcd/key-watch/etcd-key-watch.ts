import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../../../errors/service-error.js';
import { BackOff } from '../../../resilience/back-off.js';
import type { Logger } from '../../../telemetry/logger.js';
import { reasonOf } from '../../../telemetry/reason.js';
import type { KeyListener, KeyWatch } from '../../cluster-keys.js';
import type { Position } from '../../position.js';
import type { Channel } from '../client/channel/etcd-channel.js';
import { isCompacted, isFuture } from '../client/etcd-error.js';
import { withValidToken } from '../client/etcd-tokens.js';
import type { EtcdMembers } from '../client/members.js';
import { unlessHung } from '../client/unless-hung.js';
import { ProgressMarker } from '../feed/progress-marker.js';
import type { RestoreDetector } from '../feed/restore-detector.js';
import type { RawRevision } from '../feed/revision-assembler.js';
import { WatchEnd, WatchSession, type WatchTimes } from '../feed/watch-session.js';
import { isProgressKey, progressKey } from '../keys.js';
import { readSnapshot } from './read-snapshot.js';

/** What all watches of a node share. */
export interface KeyWatchParts {
  readonly cluster: EtcdMembers;
  readonly detector: RestoreDetector;
  readonly logger: Logger;
  readonly times: WatchTimes;
}

export interface KeyWatchTarget {
  /** Whole path to which the keys are told relative. */
  readonly root: string;
  readonly prefix: string;
  readonly listener: KeyListener;
  readonly signal: AbortSignal;
}

/**
 * Milliseconds: pauses before the next member, or the next snapshot. What was withdrawn meanwhile is to be refused within a
 * second of etcd being back, so the longest one is the half of that.
 */
const BACK_OFF = { first: 50, longest: 500 };
/** Call timeouts within which a member must show that it has the history: it takes two calls. */
const VERIFY_CALLS = 3;

/**
 * One watch on keys of etcd: a snapshot, then sessions on one member after the other, each from the last whole revision
 * on (ETCD 2.4). Where etcd does not have the revisions after it, or has another history, a new snapshot follows.
 */
export class EtcdKeyWatch implements KeyWatch {
  /** Where the listener is; null: it needs a snapshot. */
  #place: Position | null = null;
  #session: WatchSession | null = null;
  #provenAt: number | null = null;
  #member: number;
  readonly #backOff = new BackOff(BACK_OFF);
  readonly #marker: ProgressMarker;
  reason = 'opening a watch on etcd';

  constructor(
    private readonly parts: KeyWatchParts,
    private readonly target: KeyWatchTarget,
  ) {
    const { cluster, logger } = parts;
    this.#marker = new ProgressMarker(cluster, progressKey(target.root + target.prefix), logger);
    // Nodes that start together do not all choose the first member.
    this.#member = Math.floor(Math.random() * cluster.members.length);
  }

  get staleMs(): number | null {
    const provenAt = Math.max(this.#provenAt ?? 0, this.#session?.provenAt ?? 0);
    return provenAt === 0 ? null : performance.now() - provenAt;
  }

  /** Follows until the signal ends it, or the node drains. Never rejects. */
  async run(): Promise<void> {
    const { signal } = this.target;
    while (!signal.aborted) {
      try {
        this.#place ??= await this.#begin();
        if (!signal.aborted) await this.#follow(this.#place);
      } catch (error) {
        if (signal.aborted || isDraining(error)) break;
        this.#failed(error);
      }
      await pause(this.#backOff.next(), undefined, { signal }).catch(() => undefined);
    }
    this.reason = 'ended';
  }

  async #begin(): Promise<Position> {
    const { cluster, detector } = this.parts;
    const { root, prefix, listener, signal } = this.target;
    const askedAt = performance.now();
    const head = await detector.head();
    const { keys, revision, newest, cluster: id } = await readSnapshot(cluster, root, prefix);
    if (id !== head.cluster || revision < head.revision || detector.epoch !== head.epoch) {
      throw new WatchEnd('other-history', 'has another history since the snapshot was begun');
    }
    detector.observe(revision);
    // What a later member must still have at that revision, or it has another history.
    if (newest) detector.observe(newest.revision, newest);
    if (!signal.aborted) listener.snapshot(keys, revision);
    this.#provenAt = askedAt;
    return { ...head, revision };
  }

  async #follow(place: Position): Promise<void> {
    const { cluster } = this.parts;
    const { signal } = this.target;
    const host = this.#nextHost();
    const client = cluster.connect(host);
    const channel = cluster.openChannel(host);
    const release = (): void => {
      this.#session?.close();
      client.close();
      channel.close();
    };
    signal.addEventListener('abort', release, { once: true });
    try {
      const verify = withValidToken(() => this.parts.detector.verify(client));
      const head = await unlessHung(verify, host, VERIFY_CALLS * cluster.callTimeoutMs);
      if (head.cluster !== place.cluster || head.epoch !== place.epoch || head.revision < place.revision) {
        throw new WatchEnd('other-history', `has another history: it is at ${head.revision} of epoch ${head.epoch}`);
      }
      this.#session = await this.#open(host, channel, place);
      this.reason = `following ${host}`;
      while (!signal.aborted) this.#tell(await this.#session.read());
    } catch (error) {
      throw error instanceof WatchEnd ? new WatchEnd(error.kind, `${host} ${error.message}`) : error;
    } finally {
      signal.removeEventListener('abort', release);
      this.#provenAt = Math.max(this.#provenAt ?? 0, this.#session?.provenAt ?? 0);
      release();
      this.#session = null;
    }
  }

  #open(host: string, channel: Channel, place: Position): Promise<WatchSession> {
    const { cluster, detector, times } = this.parts;
    const { root, prefix } = this.target;
    return WatchSession.open({
      channel,
      prefix: root + prefix,
      cluster: place.cluster,
      cursor: place.revision,
      times,
      quorum: async () => {
        const head = await detector.head();
        if (head.cluster === place.cluster && head.epoch === place.epoch) return head.revision;
        throw new WatchEnd('other-history', `follows epoch ${place.epoch}; now it is ${head.epoch}`);
      },
      poke: (session) => void this.#marker.advance(session, detector.epoch, () => cluster.connect(host)),
    });
  }

  #tell(revisions: readonly RawRevision[]): void {
    const { detector } = this.parts;
    const place = this.#place;
    this.#backOff.reset();
    for (const { revision, puts, deletes } of revisions) {
      if (!place || this.target.signal.aborted) return;
      // Another watch, or the probe of this one, may have seen a restored backup.
      if (place.epoch !== detector.epoch) throw new WatchEnd('other-history', 'has another history now');
      detector.observe(revision, puts.at(-1));
      // While the listener has not taken it, only a snapshot could tell it again.
      this.#place = null;
      for (const put of puts) this.#change(put.name, put.value.toString(), revision);
      for (const key of deletes) this.#change(key.toString(), null, revision);
      this.#place = { ...place, revision };
    }
  }

  #change(key: string, value: string | null, revision: number): void {
    const { root, listener, signal } = this.target;
    if (isProgressKey(key) || signal.aborted) return;
    listener.change({ key: key.slice(root.length), value, revision });
  }

  #failed(error: unknown): void {
    if (error instanceof WatchEnd && error.kind !== 'lost') this.#place = null;
    if (isCompacted(error) || isFuture(error)) this.#place = null;
    const prefix = this.target.root + this.target.prefix;
    const next = this.#place === null ? 'a new snapshot follows' : 'trying the next member';
    this.reason = `${reasonOf(error)}; ${next}`;
    this.parts.logger.warn({ prefix, reason: this.reason }, 'lost a watch on keys of etcd');
  }

  #nextHost(): string {
    const { members } = this.parts.cluster;
    return members[this.#member++ % members.length]!.host;
  }
}

const isDraining = (error: unknown): boolean => error instanceof ServiceError && error.code === 'draining';
