import type { Caller } from './call/caller.js';
import type { CallOptions } from './call/request.js';
import { jsonOf } from './shadow/read-state.js';
import { Shadow } from './shadow/shadow.js';
import type { AnyState } from './shadow/state.js';
import type { Change } from './watch/change.js';
import { watched, type WatchOptions } from './watch/watch.js';

/** A shadow in a list. */
export interface ShadowSummary {
  /** null: the classic one. */
  readonly name: string | null;
  readonly version: number;
  /** ISO 8601, UTC. */
  readonly changedAt: string;
}

/** A thing in a list, with its first 100 shadows. */
export interface ThingSummary {
  readonly thing: string;
  readonly shadows: readonly ShadowSummary[];
  /** It has more shadows. */
  readonly truncated?: boolean;
}

/** One thing, which has one classic shadow and any number of named ones. Holds nothing and opens nothing. */
export class Thing {
  readonly #caller: Caller;
  readonly #path: string;

  /** @internal */
  constructor(
    caller: Caller,
    readonly name: string,
  ) {
    this.#caller = caller;
    this.#path = `/v1/things/${encodeURIComponent(name)}`;
  }

  /** The classic shadow, or the named one. `T` is the type of its sections; nothing checks them. */
  shadow<T = AnyState>(name: string | null = null): Shadow<T> {
    return new Shadow<T>(this.#caller, { thing: this.name, shadow: name });
  }

  /**
   * Names of its shadows, null for the classic one.
   * @throws UmbraError
   */
  async *shadows(options: CallOptions = {}): AsyncGenerator<string | null, void, undefined> {
    const request = { name: 'thing.shadows', path: `${this.#path}/shadows`, ...options };
    let hasClassic = false;
    for await (const page of pages(this.#caller, request)) {
      const { classic, names } = page as { classic?: boolean; names?: string[] };
      if (classic && !hasClassic) yield null;
      hasClassic = true;
      yield* names ?? [];
    }
  }

  /**
   * Deletes all its shadows, one after the other. Not one change: an error leaves those that were not reached.
   * @throws UmbraError; `not-found` if it has none
   */
  async delete(options: CallOptions = {}): Promise<{ readonly deleted: readonly ShadowSummary[] }> {
    const deleted: ShadowSummary[] = [];
    const request = {
      name: 'thing.delete',
      method: 'DELETE',
      path: this.#path,
      idempotencyKey: null,
      ...options,
    } as const;
    for await (const page of pages(this.#caller, request)) deleted.push(...(page['deleted'] as ShadowSummary[]));
    return { deleted };
  }

  /**
   * Every change of its shadows, in order. Ends when the signal aborts.
   * @throws UmbraError as `Umbra.watch` does
   */
  watch<T = AnyState>(options: WatchOptions = {}): AsyncGenerator<Change<T>, void, undefined> {
    return watched(this.#caller, { path: `${this.#path}/watch`, query: {} }, options);
  }
}

/** The bodies of all pages of a list. @throws UmbraError */
export async function* pages(
  caller: Caller,
  request: Parameters<Caller['call']>[0],
): AsyncGenerator<Record<string, unknown>, void, undefined> {
  let after: string | undefined;
  do {
    const page = jsonOf(await caller.call({ ...request, query: { ...request.query, after } }));
    yield page;
    after = page['next'] as string | undefined;
  } while (after !== undefined);
}
