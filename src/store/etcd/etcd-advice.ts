import type { EtcdConfig } from '../../config/config.js';
import type { Logger } from '../../telemetry/logger.js';
import type { EtcdMembers } from './client/members.js';

/** Milliseconds between two checks of quotas and compaction. */
const LOOK_MS = 10 * 60_000;
/** Milliseconds after which a revision that can still be read shows that nothing compacts the history. */
const KEPT_MS = 60 * 60_000;
/** Milliseconds before the first check is repeated while etcd does not answer. */
const RETRY_MS = 2_000;
/** Fewer revisions than this are no burden, compacted or not. */
const FEW_REVISIONS = 10_000;
/** Milliseconds for the metrics of one member, some 150 KB. */
const METRICS_MS = 2_000;

/**
 * Warns operators of etcd servers with an old version, with a quota below UMBRA_ETCD_QUOTA_BYTES, or with a history
 * that nothing compacts. Each warning is logged when it appears. No errors: a check without an answer gives no warning.
 */
export class EtcdAdvice {
  readonly #versions = new Map<string, string>();
  readonly #quotas = new Map<string, number>();
  readonly #logged = new Set<string>();
  #history: string | null = null;
  /** A revision, and when it was the present one (monotonic). */
  #mark: { revision: number; at: number } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(
    private readonly cluster: EtcdMembers,
    private readonly config: EtcdConfig,
    private readonly logger: Logger,
  ) {
    void this.#look();
  }

  get warnings(): readonly string[] {
    const old = [...this.#versions].filter(([, version]) => /^3\.[0-4]\./.test(version));
    const small = [...this.#quotas].filter(([, bytes]) => bytes < this.config.quotaBytes);
    return [
      ...old.map(
        ([host, version]) =>
          `${host} is etcd ${version}: up to 3.4 neither its quota nor the permissions of its users hold for nested ` +
          'transactions, with which this node writes; upgrade it to 3.5.33, 3.6.14 or later',
      ),
      ...small.map(
        ([host, bytes]) =>
          `${host} has a quota of ${mib(bytes)} MiB, below UMBRA_ETCD_QUOTA_BYTES (${mib(this.config.quotaBytes)} MiB): ` +
          'etcd would refuse updates and deletes before this node does; start it with --quota-backend-bytes=8589934592, ' +
          'or lower UMBRA_ETCD_QUOTA_BYTES',
      ),
      ...(this.#history === null ? [] : [this.#history]),
    ];
  }

  /** Notes the version that a member reported. */
  saw(host: string, version: string): void {
    if (this.#versions.get(host) === version) return;
    this.#versions.set(host, version);
    this.#log();
  }

  /** Ends the checks. */
  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const hosts = this.cluster.members.map(({ host }) => host);
    const [known] = await Promise.all([this.#lookAtHistory(), ...hosts.map((host) => this.#lookAtQuota(host))]);
    this.#log();
    if (!this.#closed) this.#timer = setTimeout(() => void this.#look(), known ? LOOK_MS : RETRY_MS).unref();
  }

  /** Reads the quota from the metrics, on the same port: before etcd 3.6 no call of its API returns it. */
  async #lookAtQuota(host: string): Promise<void> {
    // With TLS towards etcd the metrics demand the client certificate too, which fetch() cannot send.
    if (!host.startsWith('http:')) return;
    try {
      const answer = await fetch(`${host}/metrics`, { signal: AbortSignal.timeout(METRICS_MS) });
      if (!answer.ok) return;
      const bytes = Number(/^etcd_server_quota_backend_bytes (\S+)$/m.exec(await answer.text())?.[1]);
      if (bytes > 0) this.#quotas.set(host, bytes);
    } catch {
      // Metrics may be switched off, or listen elsewhere.
    }
  }

  /** @returns false when etcd did not answer */
  async #lookAtHistory(): Promise<boolean> {
    const present = await this.#revision();
    if (present === null) return false;
    // Revision 1 can be read, so there never was a compaction.
    if (this.#mark === null && present > FEW_REVISIONS && (await this.#revision(1)) !== null) {
      this.#history = uncompacted(`its ${present} revisions were never compacted`);
    }
    const now = performance.now();
    this.#mark ??= { revision: present, at: now };
    if (now - this.#mark.at < KEPT_MS) return true;
    const { revision } = this.#mark;
    const kept = present - revision > FEW_REVISIONS && (await this.#revision(revision)) !== null;
    this.#history = kept
      ? uncompacted(`revision ${revision}, an hour and ${present - revision} changes old, is still kept`)
      : null;
    this.#mark = { revision: present, at: now };
    return true;
  }

  /** The present revision, from a read as of `at`; null when `at` is compacted, or etcd does not answer. */
  async #revision(at = 0): Promise<number | null> {
    const range = { key: Buffer.from(`${this.config.prefix}probe`), count_only: true, revision: String(at) };
    try {
      const answer = await this.cluster.call(this.cluster.current(), (client, call) => client.kv.range(range, call));
      return Number(answer.header.revision);
    } catch {
      return null;
    }
  }

  #log(): void {
    for (const warning of this.warnings) {
      if (this.#logged.has(warning)) continue;
      this.#logged.add(warning);
      this.logger.warn({ warning }, 'etcd should be set up otherwise');
    }
  }
}

const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);
const uncompacted = (why: string): string =>
  `nothing compacts the history of etcd (${why}), so it fills up: start it with --auto-compaction-mode=periodic ` +
  '--auto-compaction-retention=10m';
