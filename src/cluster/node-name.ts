import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterKeys, StoredKey } from '../store/cluster-keys.js';
import { beginningOf, pidNamespace } from '../store/local-etcd/process-table.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';

/** Seconds after which the name of a node that was killed is free. */
const LEASE_SECONDS = 10;
/** Milliseconds beyond the lease: etcd ends leases late, and after a change of leader anew. */
const LATE_MS = 5_000;
const POLL_MS = 250;

/** The process that uses a name. */
interface Holder {
  readonly host: string;
  readonly pid: number;
  /** The process id with this beginning is never another process, on this machine and in this container. */
  readonly beginning: string;
  /** ISO 8601, for people. */
  readonly started: string;
}

/** Another node that lives has the name of this one. The message is for the operator. */
export class NodeNameTaken extends Error {
  override readonly name = 'NodeNameTaken';
  constructor(nodeId: string, { host, pid, started }: Holder) {
    super(
      `Another node has the name ${nodeId}: process ${pid} on ${host}, started ${started}.\n` +
        'Stop that node, or give this one a name of its own with UMBRA_NODE_ID.',
    );
  }
}

/**
 * The name of this node, kept by a leased key in etcd, so that no two nodes that live have the same: logs, metrics and
 * instances could not be told apart. An etcd that does not answer, or that is full, delays no start.
 */
export class NodeName {
  readonly #self: Holder;
  #lease: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #keeping: Promise<void> = Promise.resolve();
  #released = false;

  /** @param onTaken called when the name turns out to be taken only after claim() has returned */
  constructor(
    private readonly nodeId: string,
    private readonly keys: ClusterKeys,
    private readonly logger: Logger,
    private readonly onTaken: (error: NodeNameTaken) => void,
    self: Partial<Holder> = {},
  ) {
    const beginning = `${pidNamespace()} ${beginningOf(process.pid) ?? ''}`;
    this.#self = { host: hostname(), pid: process.pid, beginning, started: new Date().toISOString(), ...self };
  }

  /**
   * Takes the name. One that a dead process of this machine holds is taken over at once; for one on another machine it
   * waits as long as a lease lasts, at most 15 s.
   * @throws NodeNameTaken when a node that lives has the name
   */
  async claim(): Promise<void> {
    try {
      await this.#take();
    } catch (error) {
      if (error instanceof NodeNameTaken) throw error;
      this.logger.warn({ reason: reasonOf(error) }, 'the name of this node could not be claimed yet');
    }
    this.#keepLater();
  }

  /** Gives the name back. No errors. */
  async release(): Promise<void> {
    this.#released = true;
    clearTimeout(this.#timer);
    await this.#keeping;
    if (this.#lease !== null) await this.keys.revoke(this.#lease).catch(() => undefined);
  }

  async #take(): Promise<void> {
    const until = performance.now() + LEASE_SECONDS * 1000 + LATE_MS;
    for (let said = false; !this.#released;) {
      const stored = (await this.keys.list(this.nodeId)).get(this.nodeId);
      const holder = stored && readHolder(stored);
      if (!stored || !holder || holder.beginning === this.#self.beginning || isDeadHere(holder)) {
        if (await this.#put(stored ?? null)) return;
        continue;
      }
      if (isAliveHere(holder) || performance.now() > until) throw new NodeNameTaken(this.nodeId, holder);
      if (!said) this.logger.warn({ ...holder }, 'the name of this node is in use; waiting for the end of its lease');
      said = true;
      await pause(POLL_MS);
    }
  }

  /** @returns false when another process was faster */
  async #put(before: StoredKey | null): Promise<boolean> {
    const lease = await this.keys.grant(LEASE_SECONDS);
    const key = this.nodeId;
    const guard = before === null ? { key, value: null } : { key, revision: before.revision };
    const done = await this.keys.commit({ guards: [guard], puts: [{ key, value: JSON.stringify(this.#self), lease }] });
    if (done !== null) this.#lease = lease;
    else await this.keys.revoke(lease);
    return done !== null;
  }

  #keepLater(): void {
    if (this.#released) return;
    this.#timer = setTimeout(() => (this.#keeping = this.#keep()), LEASE_SECONDS * 250).unref();
  }

  async #keep(): Promise<void> {
    try {
      if (this.#lease !== null && !(await this.keys.keepAlive(this.#lease))) this.#lease = null;
      if (this.#lease === null) await this.#take();
    } catch (error) {
      if (error instanceof NodeNameTaken) return this.onTaken(error);
      this.logger.debug({ reason: reasonOf(error) }, 'the name of this node could not be kept up');
    }
    this.#keepLater();
  }
}

/** Only a process in the same container of the same machine can be looked at. */
function isHere({ beginning }: Holder): boolean {
  const [namespace = '', boot = ''] = beginning.split(' ');
  const [ownBoot = ''] = (beginningOf(process.pid) ?? '').split(' ');
  return namespace !== '' && boot !== '' && namespace === pidNamespace() && boot === ownBoot;
}
const isAliveHere = (holder: Holder): boolean =>
  isHere(holder) && `${pidNamespace()} ${beginningOf(holder.pid) ?? ''}` === holder.beginning;
const isDeadHere = (holder: Holder): boolean => isHere(holder) && !isAliveHere(holder);

function readHolder({ value }: StoredKey): Holder | null {
  try {
    const holder = JSON.parse(value) as Partial<Holder> | null;
    if (typeof holder?.pid !== 'number' || typeof holder.beginning !== 'string') return null;
    return { host: String(holder.host), started: String(holder.started), pid: holder.pid, beginning: holder.beginning };
  } catch {
    return null;
  }
}
