import type { Clock } from '../../../resilience/clock.js';
import type { EtcdConfig } from '../../../config/config.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { EtcdMembers, Member } from '../client/members.js';

/** Milliseconds between two looks. At 13 MB/s of history a look late costs 40 MB: stay that far below the quota. */
const PERIOD_MS = 3_000;
/** Part of the quota from which on a lease for tombstones is kept ready. */
const NEARLY_FULL = 0.8;

export interface QuotaUse {
  readonly full: boolean;
  /** Bytes in use at the fullest member. */
  readonly usedBytes: number;
  /** In words for an operator. */
  readonly reason: string;
}

export interface QuotaGuardOptions {
  readonly periodMs?: number;
  /** Called at most once per look while the storage is nearly full. */
  readonly onNearlyFull?: () => void;
}

/**
 * Watches the room that is left. Nested Txns slip past etcd's own alarm on old servers (ETCD 0), so it is we who
 * refuse updates; reads and deletes go on. It recovers by itself: compaction frees what is in use, and an operator
 * disarms the alarm (ETCD 7).
 */
export class QuotaGuard {
  #use: QuotaUse = { full: false, usedBytes: 0, reason: 'not looked at yet' };
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;

  constructor(
    private readonly cluster: EtcdMembers,
    private readonly config: EtcdConfig,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly options: QuotaGuardOptions = {},
  ) {}

  get use(): QuotaUse {
    return this.#use;
  }

  /** Looks now and then every few seconds. */
  start(): void {
    this.#timer ??= setInterval(() => void this.look(), this.options.periodMs ?? PERIOD_MS).unref();
    void this.look();
  }

  /** Looks no more. */
  close(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** @throws ServiceError storageFull */
  check(): void {
    if (this.#use.full) throw new ServiceError('storageFull');
  }

  /** etcd itself has just refused a write for want of room: no need to wait for the next look. */
  refused(): void {
    this.#become({ full: true, usedBytes: this.#use.usedBytes, reason: 'etcd refuses writes: its quota is used up' });
  }

  /** One look; those who ask while one is under way share it. Members that do not answer tell nothing new. No errors. */
  look(): Promise<void> {
    return (this.#looking ??= this.#measure().finally(() => (this.#looking = null)));
  }

  async #measure(): Promise<void> {
    const sizes = await Promise.all(this.cluster.members.map((member) => this.#usedBytes(member)));
    const alarm = await this.#alarm();
    const known = sizes.filter((size) => size !== null);
    if (known.length === 0 || alarm === null) return;
    const usedBytes = Math.max(...known);
    const quota = this.config.quotaBytes;
    const share = `${mib(usedBytes)} of ${mib(quota)} MiB in use`;
    if (usedBytes >= NEARLY_FULL * quota) this.options.onNearlyFull?.();
    // Where the alarms may not be read, a write that is taken is what tells that there is none.
    if (this.#use.full && !alarm && !(await this.#touch())) return;
    if (alarm) this.#become({ full: true, usedBytes, reason: `the NOSPACE alarm of etcd is set; ${share}` });
    else this.#become({ full: usedBytes >= quota, usedBytes, reason: share });
  }

  #become(use: QuotaUse): void {
    const before = this.#use;
    this.#use = use;
    if (use.full === before.full) return;
    if (use.full)
      this.logger.error({ reason: use.reason }, 'storage full: updates are refused, reads and deletes go on');
    else this.logger.info({ reason: use.reason }, 'storage has room again: updates are taken');
  }

  async #usedBytes(member: Member): Promise<number | null> {
    try {
      const status = await this.cluster.call(member, (client, call) => client.maintenance.status(call));
      // Servers before 3.4 know only the size of the file.
      return Number(status.dbSizeInUse) || Number(status.dbSize);
    } catch (error) {
      this.logger.debug({ host: member.host, err: error }, 'no status of an etcd member');
      return null;
    }
  }

  /** etcd counts the pages that a compaction freed only at its next write, and while we refuse them there may be none. */
  async #touch(): Promise<boolean> {
    const request = { key: Buffer.from(`${this.config.prefix}room`), value: Buffer.from('looked') };
    try {
      await this.cluster.read((client, call) => client.kv.put(request, call), this.#deadline());
      return true;
    } catch (error) {
      this.logger.debug({ err: error }, 'etcd is full and takes no write');
      return false;
    }
  }

  #deadline(): number {
    return this.clock.monotonic() + this.cluster.callTimeoutMs * this.cluster.members.length;
  }

  async #alarm(): Promise<boolean | null> {
    try {
      const { alarms } = await this.cluster.read(
        (client, call) => client.maintenance.alarm({}, call),
        this.#deadline(),
      );
      return alarms.some(({ alarm }) => String(alarm).toUpperCase() === 'NOSPACE');
    } catch (error) {
      this.logger.debug({ err: error }, 'no alarms of etcd');
      // Servers with authentication may keep the alarms from us for ever; the sizes still count.
      return error instanceof ServiceError ? null : false;
    }
  }
}

const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);
