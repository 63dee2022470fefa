import { setTimeout as pause } from 'node:timers/promises';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys, Guard } from '../store/cluster-keys.js';
import type { RuntimeDocument } from './runtime-document.js';
import { encodeRecord, KEPT, LIVE, NODES, RUNTIME_PATH, STAGED, type RuntimeRecord } from './runtime-record.js';
import { isOpen, nextVersion, obstacles, pendingIn, stateOf, type Held, type RuntimeState } from './runtime-state.js';

/** Documents that were live and are kept, the present one included. */
const MOST_KEPT = 10;
/** Milliseconds for which the nodes may look at a document, or follow a promotion, before the answer. */
const WAIT_MS = 2_000;
const POLL_MS = 40;
/** Nodes whose words the transaction of a promotion compares: etcd takes 128 comparisons. */
const MOST_COMPARED = 100;
const ATTEMPTS = 3;
/** Obstacles that an answer names. */
const MOST_TOLD = 5;
/** Names of live nodes, as cluster/node-name.ts keeps them. */
const NAMES = 'nodes/';
/** What there is not, for who goes back from the first document that was live. */
const NONE_EARLIER =
  'earlier version of the runtime configuration; to follow the environment again, stage {} and promote it';

/** Who asks, and for what. */
export interface SwitchCall {
  readonly by: string;
  /** Revision of the staged record that the caller has seen; undefined: any. */
  readonly expected?: number | undefined;
}

/**
 * The switch with two keys: a document is staged, every node that lives says whether it takes it, and a promotion makes it
 * live, all or nothing.
 */
export class RuntimeSwitch {
  readonly #runtime: ClusterKeys;
  readonly #names: ClusterKeys;

  /**
   * @param keys the cluster's own keys
   * @param node that answers: it lives, even if it has said nothing yet
   */
  constructor(
    keys: ClusterKeys,
    private readonly node: string,
    private readonly clock: Clock,
    private readonly waitMs = WAIT_MS,
  ) {
    this.#runtime = keys.under(RUNTIME_PATH);
    this.#names = keys.under(NAMES);
  }

  /** As of now. @throws ServiceError storageUnavailable, draining */
  async state(): Promise<RuntimeState> {
    const [names, keys] = await Promise.all([this.#names.list(''), this.#runtime.list('')]);
    return stateOf(keys, [this.node, ...names.keys()]);
  }

  /**
   * Has the nodes look at a document, in the place of the one that was staged before, and waits a while for what they say.
   * @param restores version whose document it is again
   * @throws ServiceError preconditionFailed, also when another document was staged during the wait; storageUnavailable,
   * storageFull, draining
   */
  async stage(document: RuntimeDocument, before: RuntimeState, by: string, restores?: number): Promise<RuntimeState> {
    const version = nextVersion(before);
    const times = { stagedBy: by, stagedAt: this.#now(), promotedBy: null, promotedAt: null };
    const value = encodeRecord({ version, document, ...times, restores: restores ?? null });
    const { staged, live } = before;
    const put = await this.#runtime.commit({
      guards: [guardOf(STAGED, staged), guardOf(LIVE, live)],
      puts: [{ key: STAGED, value }],
    });
    const state = await this.#until((now) => now.staged?.version !== version || !isOpen(now, version));
    // A lost answer may be that of a change that was made.
    const isOwn = put === null ? isSame(state.staged, value) : state.staged?.revision === put;
    // Whoever takes the answer for the own document would promote what somebody else has staged since.
    if (!isOwn) throw changed();
    return state;
  }

  /**
   * Makes the staged document live, and waits a while for the nodes to follow.
   * @throws ServiceError preconditionFailed that says which node is in the way, and why; storageUnavailable,
   * storageFull, draining
   */
  async promote({ by, expected }: SwitchCall): Promise<RuntimeState> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const state = await this.#until((now) => {
        const pending = pendingIn(now);
        return pending === null || !isOpen(now, pending.version);
      });
      const staged = pendingOf(state, expected);
      const found = obstacles(state, staged.version);
      if (found.length > 0) throw inTheWay(staged.version, found);
      if (staged.record === null) throw refused(`this node cannot read version ${staged.version}; ask another one`);
      const record = { ...staged.record, promotedBy: by, promotedAt: this.#now() };
      if (await this.#makeLive(state, record)) return this.#followed(staged.version);
    }
    throw changed();
  }

  /**
   * Stages the document of an earlier version anew, and promotes it.
   * @param version undefined: the one before the live one
   * @throws ServiceError noRecord, and as promote
   */
  async rollback(by: string, version?: number): Promise<RuntimeState> {
    const state = await this.state();
    const target =
      version === undefined
        ? state.kept.find((each) => each.version < (state.live?.version ?? 0))
        : state.kept.find((each) => each.version === version);
    const name = version === undefined ? NONE_EARLIER : `kept version ${version}`;
    if (!target?.record) throw new ServiceError('noRecord', name);
    const staged = await this.stage(target.record.document, state, by, target.version);
    return this.promote({ by, expected: staged.staged?.revision });
  }

  async #makeLive(state: RuntimeState, record: RuntimeRecord): Promise<boolean> {
    const value = encodeRecord(record);
    const key = KEPT + String(record.version).padStart(12, '0');
    const words = [...state.said]
      .slice(0, MOST_COMPARED)
      .map(([node, { revision }]) => ({ key: NODES + node, revision }));
    const put = await this.#runtime.commit({
      guards: [guardOf(STAGED, state.staged), guardOf(LIVE, state.live), ...words],
      puts: [LIVE, key].map((each) => ({ key: each, value })),
      deletes: await this.#outdated(),
    });
    return put !== null || isSame((await this.state()).live, value);
  }

  /** Keys of those that give way to one more. */
  async #outdated(): Promise<string[]> {
    return [...(await this.#runtime.list(KEPT)).keys()].sort().slice(0, -(MOST_KEPT - 1));
  }

  #followed(version: number): Promise<RuntimeState> {
    return this.#until(({ live, nodes, said }) => {
      if (live?.version !== version) return true;
      return nodes.every((node) => said.get(node)?.word.live?.version === version);
    });
  }

  async #until(isSo: (state: RuntimeState) => boolean): Promise<RuntimeState> {
    const due = performance.now() + this.waitMs;
    for (;;) {
      const state = await this.state();
      if (isSo(state) || performance.now() >= due) return state;
      await pause(POLL_MS);
    }
  }

  #now(): string {
    return new Date(this.clock.now()).toISOString();
  }
}

const guardOf = (key: string, held: Held | null): Guard =>
  held === null ? { key, value: null } : { key, revision: held.revision };

const isSame = (held: Held | null, value: string): boolean =>
  held?.record !== null && held !== null && encodeRecord(held.record) === value;

function pendingOf(state: RuntimeState, expected: number | undefined): Held {
  const staged = pendingIn(state);
  if (staged === null) throw refused('nothing is staged that is not live already');
  if (expected !== undefined && staged.revision !== expected) throw changed();
  return staged;
}

function inTheWay(version: number, found: readonly string[]): ServiceError {
  const more = found.length > MOST_TOLD ? `; and ${found.length - MOST_TOLD} more` : '';
  return refused(`version ${version} cannot be promoted: ${found.slice(0, MOST_TOLD).join('; ')}${more}`);
}

const changed = (): ServiceError => refused('the runtime configuration has been changed since; look at it again');
const refused = (detail: string): ServiceError => new ServiceError('preconditionFailed', detail);
