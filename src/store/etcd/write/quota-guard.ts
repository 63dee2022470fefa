import type { Clock } from '../../../resilience/clock.js';
import type { EtcdConfig } from '../../../config/config.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { Logger } from '../../../telemetry/logger.js';
import type { MemberUse } from '../../storage.js';
import type { LeaderView } from '../client/leader.js';
import type { EtcdMembers, Member } from '../client/members.js';

/** Milliseconds between two checks. At 13 MB/s of history one period fills 40 MB: stay that far below the quota. */
const PERIOD_MS = 3_000;

export interface QuotaUse {
  readonly full: boolean;
  /** Bytes in use at the fullest member. */
  readonly usedBytes: number;
  /** In words for an operator. */
  readonly reason: string;
}

/** What a member has said of itself at the last look. */
export interface SeenMember extends MemberUse {
  readonly view: LeaderView;
}

export interface QuotaGuardOptions {
  readonly periodMs?: number;
  /** Is called before each check, for what must be ready when the storage is full. */
  readonly onCheck?: () => void;
  /** Is called at each check with what the members that answered say of their leader. */
  readonly onViews?: (views: readonly LeaderView[]) => void;
}

/**
 * Watches the free space of etcd. Old servers do not apply their quota to nested Txns (ETCD 0), so this node rejects
 * updates itself; reads and deletes still work. It recovers by itself after a compaction has freed space and an
 * operator has disarmed the alarm (ETCD 7).
 */
export class QuotaGuard {
  #use: QuotaUse = { full: false, usedBytes: 0, reason: 'not looked at yet' };
  /** By address; a member that did not answer the last look is not there. */
  readonly #members = new Map<string, SeenMember>();
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

  /** Of the members that answered the last look. */
  get members(): readonly SeenMember[] {
    return [...this.#members.values()];
  }

  /** Checks now, and then every period. */
  start(): void {
    this.#timer ??= setInterval(() => void this.look(), this.options.periodMs ?? PERIOD_MS).unref();
    void this.look();
  }

  /** Ends the checks. */
  close(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** @throws ServiceError storageFull */
  check(): void {
    if (this.#use.full) throw new ServiceError('storageFull');
  }

  /** Notes that etcd has just rejected a write for lack of space, without waiting for the next check. */
  refused(): void {
    this.#become({ full: true, usedBytes: this.#use.usedBytes, reason: 'etcd refuses writes: its quota is used up' });
  }

  /** Checks once; calls during a check share it. Members that do not answer change nothing. No errors. */
  look(): Promise<void> {
    return (this.#looking ??= this.#measure().finally(() => (this.#looking = null)));
  }

  async #measure(): Promise<void> {
    this.options.onCheck?.();
    const sizes = await Promise.all(this.cluster.members.map((member) => this.#usedBytes(member)));
    this.options.onViews?.(this.members.map(({ view }) => view));
    const alarm = await this.#alarm();
    const known = sizes.filter((size) => size !== null);
    if (known.length === 0 || alarm === null) return;
    const usedBytes = Math.max(...known);
    const quota = this.config.quotaBytes;
    const share = `${mib(usedBytes)} of ${mib(quota)} MiB in use`;
    // A server with users may deny its alarms: then only an accepted write shows that none is set.
    if (this.#use.full && !alarm && !(await this.#touch())) return;
    if (alarm) this.#become({ full: true, usedBytes, reason: `the NOSPACE alarm of etcd is set; ${share}` });
    else this.#become({ full: usedBytes >= quota, usedBytes, reason: share });
  }

  #become(use: QuotaUse): void {
    const before = this.#use;
    this.#use = use;
    if (use.full === before.full) return;
    if (use.full)
      this.logger.error({ reason: use.reason }, 'storage full: updates are rejected; reads and deletes still work');
    else this.logger.info({ reason: use.reason }, 'storage has room again: updates are accepted');
  }

  async #usedBytes(member: Member): Promise<number | null> {
    try {
      const status = await this.cluster.call(member, (client, call) => client.maintenance.status(call));
      // Servers before 3.4 know only the size of the file.
      const usedBytes = Number(status.dbSizeInUse) || Number(status.dbSize);
      const { host } = member;
      const view = { host, memberId: status.header.member_id, leaderId: status.leader, term: Number(status.raftTerm) };
      this.#members.set(host, { host, usedBytes, isLeader: view.leaderId === view.memberId, view });
      return usedBytes;
    } catch (error) {
      this.#members.delete(member.host);
      this.logger.debug({ host: member.host, err: error }, 'no status of an etcd member');
      return null;
    }
  }

  /** Writes once: etcd counts the pages that a compaction freed only at its next write, and a full node sends few. */
  async #touch(): Promise<boolean> {
    const request = { key: Buffer.from(`${this.config.prefix}room`), value: Buffer.from('looked') };
    try {
      await this.cluster.read((client, call) => client.kv.put(request, call), this.#deadline());
      return true;
    } catch (error) {
      this.logger.debug({ err: error }, 'etcd is full and accepts no write');
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
      // A server with users may deny its alarms for ever; the sizes still count.
      return error instanceof ServiceError ? null : false;
    }
  }
}

const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);
