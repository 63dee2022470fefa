import { INSTANCES } from '../cluster/instances.js';
import type { Claimant } from '../cluster/shard-claims.js';
import { BackOff } from '../resilience/back-off.js';
import type { ClusterKeys, Guard } from '../store/cluster-keys.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import type { KnownPresence } from './known-presence.js';
import type { LocalSession } from './local-session.js';
import type { LocalSessions } from './local-sessions.js';
import { nextRecord } from './next-record.js';
import { readRecord, RECORDS, writeRecord, type PresenceRecord, type Stored } from '../store/presence-record.js';
import type { RecordLeases } from './record-leases.js';

/** Records of one transaction: etcd takes 128 conditions, and one more is on the instance. */
export const MOST_IN_COMMIT = 100;
/** Attempts at one record that others write as well. */
const ATTEMPTS = 3;
/** Milliseconds: pauses after writes that failed. */
const RETRY = { first: 100, longest: 5_000 };

export interface PresenceWriterOptions {
  /** The keys of presence. */
  readonly keys: ClusterKeys;
  readonly self: Claimant;
  readonly known: KnownPresence;
  readonly sessions: LocalSessions;
  readonly leases: RecordLeases;
  readonly logger: Logger;
}

/** One record to write, over what was stored when it was made. */
interface Write {
  readonly session: LocalSession;
  readonly record: PresenceRecord;
  readonly over: Stored | null;
}

/**
 * Writes the records of this node's clients, one transaction after the other. No connection waits for it. What gathers
 * while one is under way goes together into the next. Each write is guarded by what it was made from, and by the key of this
 * life of the node: when its lease has ended, nothing is written until it has joined again.
 */
export class PresenceWriter {
  readonly #backOff = new BackOff(RETRY);
  #running: Promise<void> | null = null;
  #pause: NodeJS.Timeout | null = null;
  #failures = 0;
  #stopped = false;

  constructor(private readonly options: PresenceWriterOptions) {}

  /** Why nothing can be written; null: nothing is known to be wrong. */
  trouble: string | null = null;

  /** Writes what is dirty soon. No errors. */
  wake(): void {
    if (this.#running !== null || this.#pause !== null || this.#stopped) return;
    this.#running = this.#run().finally(() => (this.#running = null));
  }

  /** Resolves when a run is over that may be under way. Never rejects. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Writes no more. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#pause !== null) clearTimeout(this.#pause);
    await this.#running;
  }

  get #mayWrite(): boolean {
    const { self, known, sessions } = this.options;
    return sessions.dirty > 0 && known.isReady && self.lease !== null;
  }

  async #run(): Promise<void> {
    // The rest of a turn of the loop may bring more.
    await new Promise(setImmediate);
    while (this.#mayWrite && !this.#stopped) {
      const taken = this.options.sessions.take(MOST_IN_COMMIT);
      try {
        await this.#write(taken);
        this.#succeeded();
      } catch (error) {
        for (const session of taken) this.options.sessions.putBack(session);
        return this.#failed(error);
      }
    }
  }

  async #write(taken: readonly LocalSession[]): Promise<void> {
    const { sessions } = this.options;
    const writes: Write[] = [];
    for (const session of taken) {
      const over = sessions.storedOf(session);
      const record = nextRecord(session, over);
      if (record === null) sessions.settled(session, over);
      else writes.push({ session, record, over });
    }
    if (writes.length > 0) await this.#commitAll(writes);
  }

  /** Halves what is refused, so that one record that others have written costs a few transactions. */
  async #commitAll(writes: readonly Write[]): Promise<void> {
    if (await this.#commit(writes)) return;
    if (writes.length === 1) return this.#writeAlone(writes[0]!.session);
    if (this.options.self.lease === null) throw new Error('the lease of this node has ended');
    const half = writes.length >> 1;
    await this.#commitAll(writes.slice(0, half));
    await this.#commitAll(writes.slice(half));
  }

  async #writeAlone(session: LocalSession): Promise<void> {
    const { keys, sessions } = this.options;
    let refused: number | null = -1;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await keys.get(RECORDS + session.key);
      const over = found && { record: readRecord(found.value), revision: found.revision };
      const record = nextRecord(session, over);
      if (record === null) return sessions.settled(session, over);
      // Nobody has written it meanwhile, so it is not the record that was refused.
      if (refused === (found?.revision ?? null)) throw new Error('a lease has ended');
      refused = found?.revision ?? null;
      if (await this.#commit([{ session, record, over }])) return;
    }
    sessions.putBack(session);
  }

  /** @returns false when a guard does not hold, or a lease has ended */
  async #commit(writes: readonly Write[]): Promise<boolean> {
    const { keys, self, sessions, leases } = this.options;
    const lease = writes.some(({ record }) => !record.connected) ? await leases.acquire(writes.length) : undefined;
    const guards: Guard[] = [{ key: INSTANCES + self.id, value: self.id }];
    const puts = writes.map(({ session, record, over }) => {
      const key = RECORDS + session.key;
      guards.push(over === null ? { key, value: null } : { key, revision: over.revision });
      return { key, value: writeRecord(record), ...(!record.connected && lease !== undefined && { lease }) };
    });
    const revision = await keys.commit({ guards, puts });
    if (revision === null) return false;
    for (const { session, record } of writes) sessions.written(session, record, revision);
    return true;
  }

  #succeeded(): void {
    if (this.#failures > 0) this.options.logger.info('records of presence can be written again');
    this.#failures = 0;
    this.trouble = null;
    this.#backOff.reset();
  }

  #failed(error: unknown): void {
    const { logger, leases, sessions } = this.options;
    // After the restore of a backup etcd does not know it.
    leases.forget();
    this.trouble = `records cannot be written: ${reasonOf(error)}`;
    if (++this.#failures === 1)
      logger.warn({ reason: reasonOf(error), waiting: sessions.dirty }, 'records of presence cannot be written yet');
    if (this.#stopped) return;
    this.#pause = setTimeout(() => {
      this.#pause = null;
      this.wake();
    }, this.#backOff.next()).unref();
  }
}
