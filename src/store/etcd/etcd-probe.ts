import type { EtcdConfig } from '../../config/config.js';
import type { Health, MemberHealth } from '../../telemetry/health.js';
import type { Logger } from '../../telemetry/logger.js';
import { reasonOf } from '../../telemetry/reason.js';
import type { EtcdMembers, Member } from './client/members.js';
import { EtcdAdvice } from './etcd-advice.js';
import type { QuotaGuard } from './write/quota-guard.js';

/** Milliseconds between two linearizable reads. */
const PROBE_MS = 1_000;
/** Milliseconds between two rounds of status calls; each member answers for itself alone. */
const MEMBERS_MS = 3_000;

/** Asks etcd at intervals, so that readiness is reported without waiting. */
export class EtcdProbe {
  #probe: Health = { ok: false, reason: 'etcd has not been asked yet' };
  #members: readonly MemberHealth[] = [];
  readonly #advice: EtcdAdvice;
  readonly #timers: NodeJS.Timeout[];
  readonly #asking = new Set<unknown>();

  constructor(
    private readonly cluster: EtcdMembers,
    private readonly guard: QuotaGuard,
    config: EtcdConfig,
    logger: Logger,
  ) {
    this.#advice = new EtcdAdvice(cluster, config, logger);
    this.#timers = [this.#every(PROBE_MS, () => this.#ask()), this.#every(MEMBERS_MS, () => this.#askMembers())];
  }

  /** A full etcd still counts as ok: it serves reads and deletes. */
  get health(): Health {
    const { ok, reason } = this.#probe;
    const { full, reason: use } = this.guard.use;
    const { warnings } = this.#advice;
    return {
      ok,
      reason: full ? `${reason}; ${use}` : reason,
      ...(warnings.length > 0 && { warnings }),
      ...(this.#members.length > 0 && { members: this.#members }),
    };
  }

  /** Ends the questions. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#advice.close();
  }

  /** Calls `ask` now and then every `ms`, but not while its last call is unanswered. */
  #every(ms: number, ask: () => Promise<void>): NodeJS.Timeout {
    const start = (): void => {
      if (this.#asking.has(ask)) return;
      this.#asking.add(ask);
      void ask().finally(() => this.#asking.delete(ask));
    };
    start();
    return setInterval(start, ms).unref();
  }

  async #ask(): Promise<void> {
    this.#probe = await this.cluster.status();
  }

  async #askMembers(): Promise<void> {
    this.#members = await Promise.all(this.cluster.members.map((member) => this.#look(member)));
  }

  async #look(member: Member): Promise<MemberHealth> {
    const named = { member: member.host };
    try {
      const status = await this.cluster.call(member, (client, call) => client.maintenance.status(call));
      this.#advice.saw(member.host, status.version);
      const size = `${(Number(status.dbSize) / 1024 / 1024).toFixed(1)} MiB`;
      if (Number(status.leader) === 0) return { ...named, ok: false, reason: `etcd ${status.version}, has no leader` };
      return { ...named, ok: true, reason: `etcd ${status.version}, ${size}` };
    } catch (error) {
      const reason = reasonOf(error);
      // A server with users may deny its status, but it did answer.
      if (/permission denied|PermissionDenied/i.test(reason)) return { ...named, ok: true, reason: 'answers' };
      return { ...named, ok: false, reason: `does not answer: ${reason}` };
    }
  }
}
