import type { Etcd3, IRangeResponse, IResponseHeader } from 'etcd3';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { Position } from '../../position.js';
import { isOutsideHistory } from '../client/etcd-error.js';
import type { Lineage } from '../lineage.js';

/** Makes calls that may be repeated on another member; an EtcdMembers does. */
export interface EtcdCalls {
  /**
   * @param deadline milliseconds of the monotonic clock
   * @throws ServiceError storageUnavailable, storageFull, draining; the error of etcd when it rejects the request
   * itself
   */
  read<T>(call: (client: Etcd3) => Promise<T>, deadline: number): Promise<T>;
}

/** A put as the watch brought it; a WatchEvent is one. */
interface Put {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** A put that the history must still have at its revision. */
interface Witness {
  readonly put: Put;
  readonly revision: number;
}

/** Milliseconds for one call to the cluster, all members together. */
export const CALL_MS = 5_000;

const ADVANCE_ATTEMPTS = 5;

/**
 * Finds out whether etcd still has the history that this node has followed. A restored backup keeps the cluster id and
 * counts revisions again from an older number, so the same number then means other content. Two signs show it: a
 * revision below one that was seen, or another value at the last revision that was seen (the witness). The number of
 * restores, the epoch, is kept in etcd, so that all nodes name the new history alike.
 */
export class RestoreDetector {
  readonly #key: Buffer;
  #cluster: string | null = null;
  #highest = 0;
  #witness: Witness | null = null;
  #advancing: Promise<void> | null = null;

  constructor(
    private readonly calls: EtcdCalls,
    prefix: string,
    private readonly history: Lineage,
    private readonly logger: Logger,
  ) {
    this.#key = Buffer.from(`${prefix}epoch`);
  }

  get epoch(): number {
    return this.history.epoch;
  }

  /**
   * The present position, read from the key of the epoch, so that position and epoch belong together.
   * @param client asks this member only, instead of any
   * @throws ServiceError storageUnavailable; what the client throws
   */
  async head(client?: Etcd3): Promise<Position> {
    for (let attempt = 0; attempt < ADVANCE_ATTEMPTS; attempt++) {
      // As of before the call: revisions seen while it runs may rightly be newer than its answer.
      const { highest, epoch } = { highest: this.#highest, epoch: this.history.epoch };
      const answer = await this.#read(client);
      const { header } = answer;
      const moved = header.cluster_id !== this.#cluster || epochOf(answer) > this.history.epoch;
      if (!moved && epoch === this.history.epoch && Number(header.revision) < highest) {
        await this.#advance(highest);
        continue;
      }
      if (moved) this.#enter(Math.max(epochOf(answer), this.history.epoch), header);
      this.observe(Number(header.revision));
      return this.history.position(header);
    }
    throw new ServiceError('storageUnavailable');
  }

  /**
   * As `head`, and compares the value at the witness too.
   * @throws ServiceError storageUnavailable; what the client throws
   */
  async verify(client: Etcd3): Promise<Position> {
    const witness = this.#witness;
    if (witness && !(await holds(client, witness))) {
      // The content of a revision never changes within one history: no stale read explains this.
      if (witness === this.#witness) await this.#advance(null);
    }
    return this.head(client);
  }

  /** @param last the last put of `revision`, if it has one; its bytes stay in memory until the next one */
  observe(revision: number, last?: Put): void {
    this.#highest = Math.max(this.#highest, revision);
    if (!last || revision <= (this.#witness?.revision ?? 0)) return;
    this.#witness = { put: last, revision };
  }

  #read(client?: Etcd3): Promise<IRangeResponse> {
    const range = (one: Etcd3) => one.kv.range({ key: this.#key });
    return client ? range(client) : this.calls.read(range, performance.now() + CALL_MS);
  }

  #enter(epoch: number, header: IResponseHeader): void {
    const { cluster_id: cluster, revision } = header;
    if (this.#cluster !== null) this.logger.warn({ cluster, epoch, revision }, 'etcd has another history now');
    this.#cluster = cluster;
    this.#highest = Number(revision);
    this.#witness = null;
    this.history.enter(epoch);
  }

  /** Readers that notice at the same time wait for one answer. */
  #advance(highest: number | null): Promise<void> {
    this.#advancing ??= this.#agree(highest).finally(() => (this.#advancing = null));
    return this.#advancing;
  }

  /**
   * Agrees with the other nodes on the next epoch by CAS: one of them writes it, the others find it.
   * @param highest revision that was seen although etcd is below it; null when the history is known to differ
   */
  async #agree(highest: number | null): Promise<void> {
    // The history that is in doubt. Another call may enter the one after it meanwhile, which nobody doubts.
    const { epoch } = this.history;
    for (let attempt = 0; attempt < ADVANCE_ATTEMPTS; attempt++) {
      const current = await this.#read();
      if (this.history.epoch !== epoch) return;
      const stored = epochOf(current);
      if (stored > epoch) return this.#enter(stored, current.header);
      const guard = current.kvs[0]?.mod_revision ?? '0';
      // Reads of some servers can be stale (etcd #20418); a write knows where the history really is.
      const touched = await this.#cas(guard, stored);
      if (!touched) continue;
      if (this.history.epoch !== epoch) return;
      if (highest !== null && Number(touched.revision) > highest) return this.observe(Number(touched.revision));
      const next = Math.max(stored, epoch) + 1;
      const entered = await this.#cas(touched.revision, next);
      if (entered) return this.#enter(next, entered);
    }
    throw new ServiceError('storageUnavailable');
  }

  async #cas(guard: string, epoch: number): Promise<IResponseHeader | null> {
    const value = Buffer.from(JSON.stringify({ epoch }));
    const answer = await this.calls.read(
      (client) =>
        client.kv.txn({
          compare: [{ key: this.#key, target: 'Mod', result: 'Equal', mod_revision: guard }],
          success: [{ request_put: { key: this.#key, value } }],
        }),
      performance.now() + CALL_MS,
    );
    return answer.succeeded ? answer.header : null;
  }
}

async function holds(client: Etcd3, { put, revision }: Witness): Promise<boolean> {
  try {
    const { kvs } = await client.kv.range({ key: put.key, revision: String(revision) });
    return Number(kvs[0]?.mod_revision) === revision && kvs[0]?.value.equals(put.value) === true;
  } catch (error) {
    // Compacted: nothing to compare. In the future: the comparison of revisions in head() settles it, with care.
    if (isOutsideHistory(error)) return true;
    throw error;
  }
}

function epochOf(answer: IRangeResponse): number {
  try {
    const { epoch } = JSON.parse(answer.kvs[0]?.value.toString() ?? '{"epoch":0}') as { epoch?: unknown };
    return Number.isSafeInteger(epoch) && (epoch as number) >= 0 ? (epoch as number) : 0;
  } catch {
    return 0;
  }
}
