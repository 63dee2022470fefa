// So that programs whose `lib` has no asyncDispose can still read the types.
/// <reference lib="esnext.disposable" preserve="true" />
import type { Caller } from '../call/caller.js';
import type { CallOptions } from '../call/request.js';
import type { Store } from '../platform.js';
import type { ShadowName } from '../shadow/read-state.js';
import type { AnyState, ShadowState } from '../shadow/state.js';
import { clientError, UmbraError } from '../umbra-error.js';
import { followed, type ChangeData } from '../watch/change.js';
import { ChangeStream, type ReloadReason, type StreamEvent, type StreamOptions } from '../watch/change-stream.js';
import type { Source } from '../watch/filter.js';
import { link, within } from '../within.js';
import { Entries, type Difference, type Index } from './entries.js';
import type { KeptCache } from './kept-cache.js';

export interface CacheOptions<T = AnyState> extends Pick<StreamOptions, 'heartbeatMs' | 'outageMs' | 'reconnect'> {
  /** Ends the cache, as `close` does. */
  readonly signal?: AbortSignal | undefined;
  /** Shadows that it may hold; one more ends it as `too-many-shadows`. 100,000 by default. */
  readonly maxShadows?: number | undefined;
  /** By which values `by` finds shadows. */
  readonly indexes?: Readonly<Record<string, Index<T>>> | undefined;
  /** Keeps the cache with its cursor, so that the next start resumes. The store of the client is not used unasked. */
  readonly store?: Store | undefined;
  /** Name in the store; by default that of the filter. */
  readonly key?: string | undefined;
  /** Milliseconds between two saves, at least. 5,000 by default. */
  readonly saveMs?: number | undefined;
}

export interface CacheHealth {
  /**
   * `loading`: there is no complete state yet. `live`: it is followed. `behind`: the connection is lost, and what `get`
   * shows may be old. `ended`: it is not followed any more, see `error`.
   */
  readonly state: 'loading' | 'live' | 'behind' | 'ended';
  /** All changes up to here are in it. */
  readonly revision: number;
  /** Milliseconds since the last sign of life; null: there was none. */
  readonly silentMs: number | null;
  readonly shadows: number;
  /** Why it is behind or has ended; null: because of nothing, or because it was closed. */
  readonly error: UmbraError | null;
}

/** What a cache has told after it could not resume. The differences were told one by one before. */
export interface Resync {
  readonly reason: ReloadReason;
  readonly differences: number;
}

export interface CacheEvents<T> {
  add: [after: ShadowState<T>];
  change: [after: ShadowState<T>, before: ShadowState<T>];
  remove: [before: ShadowState<T>];
  resync: [resync: Resync];
  /** `health` has another state. */
  health: [health: CacheHealth];
}

type Listeners<T> = { [K in keyof CacheEvents<T>]: Set<(...args: CacheEvents<T>[K]) => void> };

interface Waiting {
  readonly revision: number;
  /** Enough is a change of this shadow alone; null: it is not. */
  readonly name: ShadowName | null;
  readonly settle: (error: UmbraError | null) => void;
}

/**
 * All shadows that fit a filter, as they are: listed at one revision, then followed. `get`, `list` and `by` answer at
 * once and from memory.
 */
export class ShadowCache<T = AnyState> {
  readonly #caller: Caller;
  readonly #options: CacheOptions<T>;
  readonly #entries: Entries<T>;
  /** Undefined: it has no store, or has not asked it yet. */
  #kept: KeptCache<T> | undefined;
  readonly #stop = new AbortController();
  readonly #listeners: Listeners<T> = {
    ...{ add: new Set(), change: new Set(), remove: new Set(), resync: new Set(), health: new Set() },
  };
  readonly #waiting = new Set<Waiting>();
  readonly #running: Promise<void>;
  /** The initial state as far as it has come; null: none is coming. */
  #staged: ShadowState<T>[] | null = null;
  #reload: ReloadReason | null = null;
  #isComplete = false;
  #state: CacheHealth['state'] = 'loading';
  #error: UmbraError | null = null;
  #revision = 0;
  #aliveAt: number | null = null;
  #cursor: string | null = null;

  /** @internal */
  constructor(caller: Caller, source: Source, options: CacheOptions<T>) {
    this.#caller = caller;
    this.#options = options;
    this.#entries = new Entries(options.indexes ?? {});
    this.#running = this.#run(source);
  }

  get(thing: string, shadow: string | null = null): ShadowState<T> | undefined {
    return this.#entries.get({ thing, shadow });
  }

  list(): ShadowState<T>[] {
    return this.#entries.all();
  }

  /** @throws UmbraError invalid-argument if there is no such index */
  by(index: string, value: string): ShadowState<T>[] {
    const found = this.#entries.by(index, value);
    if (found === undefined) throw clientError('invalid-argument', `the cache has no index "${index}"`);
    return found;
  }

  get size(): number {
    return this.#entries.size;
  }

  get health(): CacheHealth {
    const { clock } = this.#caller.platform;
    const silentMs = this.#aliveAt === null ? null : clock.monotonic() - this.#aliveAt;
    return { state: this.#state, revision: this.#revision, silentMs, shadows: this.size, error: this.#error };
  }

  /** Calls the listener from now on, until the function that it returns is called. One that throws stops nothing. */
  on<K extends keyof CacheEvents<T>>(event: K, listener: (...args: CacheEvents<T>[K]) => void): () => void {
    const listeners = this.#listeners[event];
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /**
   * Waits until the cache is complete, by default for 30 s; one that was kept in a store is at once.
   * @throws UmbraError timeout, aborted, closed; why the cache has ended
   */
  async synced(options: CallOptions = {}): Promise<this> {
    return this.reached(0, options);
  }

  /**
   * Waits until all changes up to a revision are in it, by default for 30 s. While nothing changes, nodes say each
   * `UMBRA_WATCH_BOOKMARK_MS` how far they are; `read` is faster for one shadow.
   * @throws UmbraError as `synced` does
   */
  async reached(revision: number, options: CallOptions = {}): Promise<this> {
    await this.#wait(revision, null, options);
    return this;
  }

  /**
   * What `get` says once the cache has this shadow as of a revision, such as that of one's own write to it.
   * @throws UmbraError as `synced` does
   */
  async read(
    thing: string,
    shadow: string | null,
    { minRevision, ...options }: CallOptions & { readonly minRevision: number },
  ): Promise<ShadowState<T> | undefined> {
    const known = this.get(thing, shadow);
    if (!this.#isComplete || known === undefined || known.revision < minRevision)
      await this.#wait(minRevision, { thing, shadow }, options);
    return this.get(thing, shadow);
  }

  async #wait(revision: number, name: ShadowName | null, { timeoutMs = 30_000, signal }: CallOptions): Promise<void> {
    if (this.#has(revision)) return;
    if (this.#state === 'ended') throw this.#end;
    let settle!: Waiting['settle'];
    const reached = new Promise<void>((resolve, reject) => {
      settle = (error) => (error === null ? resolve() : reject(error));
    });
    // The wait may end first.
    reached.catch(() => undefined);
    const waiting = { revision, name, settle };
    this.#waiting.add(waiting);
    try {
      const what = `waiting for revision ${revision} in the cache`;
      await this.#caller.within(what, { timeoutMs, signal }, () => reached);
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  /** Ends the cache, and saves it if it has a store. What it holds can still be read. No errors. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(source: Source): Promise<void> {
    const unlink = link([this.#options.signal, this.#caller.closed], this.#stop, 'the cache');
    try {
      await this.#restore(source);
      const { heartbeatMs, reconnect, outageMs = Infinity } = this.#options;
      const stream = new ChangeStream(this.#caller, source, {
        ...{ heartbeatMs, reconnect, outageMs, initial: true, signal: this.#stop.signal },
        cursor: this.#cursor ?? undefined,
        onState: (error) => this.#connected(error),
      });
      for await (const event of stream.events()) {
        this.#take(event);
        if (this.#kept?.isDue) void this.#save();
      }
      await this.#save();
    } catch (error) {
      const isOurs = error instanceof UmbraError;
      this.#error = isOurs ? error : clientError('bad-answer', 'the cache could not go on', { cause: error });
      this.#caller.platform.logger.error({ code: this.#error.code }, 'a cache of shadows has ended');
    } finally {
      unlink();
      this.#stop.abort();
      this.#become('ended');
      for (const { settle } of this.#waiting) settle(this.#end);
    }
  }

  async #restore({ path, query }: Source): Promise<void> {
    const source = JSON.stringify([path, query]);
    const { store, key = `umbra-cache ${source}`, saveMs = 5_000 } = this.#options;
    if (store === undefined) return;
    const { platform } = this.#caller;
    try {
      const { KeptCache } = await import('./kept-cache.js');
      this.#kept = new KeptCache({ ...platform, store, key, source, saveMs, within });
    } catch (error) {
      platform.logger.warn({ error: String(error) }, 'a cache could not be read');
    }
    const restored = await this.#kept?.load();
    if (!restored || this.#stop.signal.aborted) return;
    this.#tell(this.#entries.replace(restored.states));
    this.#cursor = restored.cursor;
    this.#revision = restored.revision;
    this.#isComplete = true;
    this.#become('behind');
    this.#settle();
  }

  #take(event: StreamEvent): void {
    switch (event.type) {
      case 'reload':
        this.#staged = null;
        this.#reload = event.reason ?? this.#reload;
        return;
      case 'initial':
        this.#staged ??= [];
        this.#staged.push(followed<T>(event.data)!);
        return this.#checkRoom(this.#staged.length);
      case 'change':
        this.#change(event.data);
        // A transaction has more changes of the same revision.
        this.#revision = Math.max(this.#revision, event.data.revision - 1);
        this.#settle(event.data);
        break;
      case 'bookmark':
        this.#complete();
        this.#revision = event.revision;
        this.#settle();
    }
    this.#cursor = event.id;
  }

  /** The first bookmark after a start without a cursor says that the initial state is whole, also when it is empty. */
  #complete(): void {
    if (this.#isComplete && this.#reload === null) return;
    const staged = this.#staged ?? [];
    const differences = this.#entries.replace(staged);
    this.#staged = null;
    for (const { before, after } of differences) if (after === null && before !== null) this.#kept?.drop(before);
    // Those that are the same may be of another revision.
    for (const state of staged) this.#kept?.put(state);
    this.#isComplete = true;
    const reason = this.#reload;
    this.#reload = null;
    this.#tell(differences);
    this.#connected(null);
    if (reason !== null) this.#emit('resync', { reason, differences: differences.length });
  }

  #change(data: ChangeData): void {
    const known = this.get(data.thing, data.shadow);
    if (known !== undefined && known.revision >= data.revision) return;
    const state = followed<T>(data);
    const difference = state === null ? this.#entries.remove(data) : this.#entries.set(state);
    if (state === null) this.#kept?.drop(data);
    else this.#kept?.put(state);
    this.#tell([difference]);
    this.#checkRoom(this.size);
  }

  /** @throws UmbraError too-many-shadows */
  #checkRoom(shadows: number): void {
    const { maxShadows = 100_000 } = this.#options;
    if (shadows <= maxShadows) return;
    throw clientError('too-many-shadows', `more than ${maxShadows} shadows fit the filter; raise maxShadows`);
  }

  #tell(differences: readonly Difference<T>[]): void {
    for (const { before, after } of differences) {
      if (after === null) {
        if (before !== null) this.#emit('remove', before);
      } else if (before === null) this.#emit('add', after);
      else this.#emit('change', after, before);
    }
  }

  #emit<K extends keyof CacheEvents<T>>(event: K, ...args: CacheEvents<T>[K]): void {
    for (const listener of this.#listeners[event]) {
      try {
        listener(...args);
      } catch (error) {
        this.#caller.platform.logger.error({ event, error: String(error) }, 'a listener of a cache has failed');
      }
    }
  }

  #connected(error: UmbraError | null): void {
    if (error === null) this.#aliveAt = this.#caller.platform.clock.monotonic();
    this.#error = error;
    this.#become(!this.#isComplete ? 'loading' : error === null && this.#reload === null ? 'live' : 'behind');
  }

  #become(state: CacheHealth['state']): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#emit('health', this.health);
  }

  #has(revision: number): boolean {
    return this.#isComplete && this.#revision >= revision;
  }

  get #end(): UmbraError {
    return this.#error ?? clientError('closed', 'the cache was closed');
  }

  /** @param change the one that was just taken, if it was one */
  #settle(change: ChangeData | null = null): void {
    if (!this.#isComplete) return;
    for (const { revision, name, settle } of this.#waiting) {
      const isOfName = change?.thing === name?.thing && change?.shadow === name?.shadow;
      if (this.#has(revision) || (change !== null && isOfName && change.revision >= revision)) settle(null);
    }
  }

  /** Saves it, if it has a store and is whole. No errors. */
  #save(): Promise<unknown> | undefined {
    const cursor = this.#cursor;
    if (cursor === null || !this.#isComplete) return undefined;
    return this.#kept?.save({ cursor, revision: this.#revision });
  }
}
