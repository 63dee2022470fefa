import type { Etcd3 } from 'etcd3';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import { reasonOf } from '../../../telemetry/reason.js';
import { CALL_MS, type EtcdCalls } from './restore-detector.js';

/**
 * A key below the watched prefix: its put arrives at every watch as an event in order, on every version of etcd, and so
 * shows a reader that it has all changes up to that revision. Periodic progress notices come every 10 min on 3.4, and
 * requested ones overtake events before 3.4.25 and 3.5.8 (ETCD 2.2).
 */
export class ProgressMarker {
  /** Where the last marker was written. A restored history continues at lower revisions than the one before. */
  #last = { epoch: 0, revision: 0 };
  #writing: Promise<boolean> | null = null;

  /** @param key not the key of a shadow */
  constructor(
    private readonly calls: EtcdCalls,
    private readonly key: string,
    private readonly logger: Logger,
  ) {}

  /** Whether this node wrote a marker at or after the revision; a reader needs only to wait for it. */
  covers(epoch: number, revision: number): boolean {
    return this.#last.epoch === epoch && this.#last.revision >= revision;
  }

  /** Writes a marker, one for all callers that wait. False: etcd is full and takes none. No errors. */
  write(epoch: number): Promise<boolean> {
    this.#writing ??= this.#put(epoch).finally(() => (this.#writing = null));
    return this.#writing;
  }

  /**
   * Makes the cursor of a quiet session move: by a marker or, where etcd is full and takes none, by ordered progress.
   * @param connect a new client of the member that the session follows; it is closed here
   * @returns never rejects
   */
  async advance(session: { trustProgress(): void }, epoch: number, connect: () => Etcd3): Promise<void> {
    if (await this.write(epoch)) return;
    const client = connect();
    try {
      const { version } = await client.maintenance.status();
      if (ordersProgress(version)) session.trustProgress();
    } catch (error) {
      this.logger.debug({ reason: reasonOf(error) }, 'a member of etcd did not report its version');
    } finally {
      client.close();
    }
  }

  async #put(epoch: number): Promise<boolean> {
    const put = { request_put: { key: Buffer.from(this.key), value: Buffer.from('{}') } };
    // Nested: servers before 3.5.33, 3.6.14 and 3.7.1 do not apply the quota to it, so that it works while etcd is full.
    const txn = { success: [{ request_txn: { success: [put] } }] };
    try {
      const { header } = await this.calls.read((client) => client.kv.txn(txn), performance.now() + CALL_MS);
      this.#last = { epoch, revision: Number(header.revision) };
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'storageFull') return false;
      this.logger.debug({ reason: reasonOf(error) }, 'the progress marker was not written');
    }
    return true;
  }
}

/** Whether a server of this version orders requested progress with the events of the watch (etcd #15220). */
export function ordersProgress(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  if (major !== 3) return major > 3;
  if (minor === 4) return patch >= 25;
  if (minor === 5) return patch >= 8;
  return minor > 5;
}
