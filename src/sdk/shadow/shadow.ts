import type { Caller } from '../call/caller.js';
import type { CallOptions } from '../call/request.js';
import { UmbraError, clientError } from '../umbra-error.js';
import { pause } from '../within.js';
import { followed, type Change } from '../watch/change.js';
import { ChangeStream, type StreamOptions } from '../watch/change-stream.js';
import type { Source } from '../watch/filter.js';
import { watched, type WatchOptions } from '../watch/watch.js';
import { jsonOf, noState, revisionOf, stateOf, type ShadowName } from './read-state.js';
import type { AnyState, DeepPartial, DesiredOf, Patch, ReportedOf, ShadowState, Written } from './state.js';

export interface GetOptions extends CallOptions {
  /** The answer shows everything up to this revision, such as that of your own write. */
  readonly minRevision?: number | undefined;
}

export interface WriteOptions extends CallOptions {
  /** The write counts only at this version, or if the shadow `exists`, or is `absent`; else `precondition-failed`. */
  readonly ifVersion?: number | 'exists' | 'absent' | undefined;
  /** Comes with the change in streams and in messages to devices. */
  readonly clientToken?: string | undefined;
  /** One of your own, so that the write is carried out once even if you begin again. */
  readonly idempotencyKey?: string | undefined;
  /** The write counts only while this lease lives. */
  readonly lease?: string | undefined;
}

export type UpdateOptions<T> = Omit<WriteOptions, 'ifVersion' | 'idempotencyKey'> & {
  /** Times that the change is computed. 16 by default. */
  readonly attempts?: number;
  /** What is known of the shadow, instead of a first read. If it is not the latest, it is read after all. */
  readonly known?: ShadowState<T>;
};

/** Milliseconds; the pause after a conflict is a random part of this times the conflicts so far. */
const CONFLICT_MS = 40;

/** One section of a shadow, `desired` or `reported`. */
export interface SectionOf<S, T> {
  /** Merges: what the patch does not name stays, `null` removes. */
  patch(patch: DeepPartial<S>, options?: WriteOptions): Promise<ShadowState<T>>;
  /** What the value does not have is removed. */
  replace(value: S, options?: WriteOptions): Promise<ShadowState<T>>;
  /** Removes all. */
  clear(options?: WriteOptions): Promise<ShadowState<T>>;
}

/** One shadow of a thing. Holds nothing and opens nothing. */
export class Shadow<T = AnyState> {
  readonly desired: SectionOf<DesiredOf<T>, T>;
  readonly reported: SectionOf<ReportedOf<T>, T>;
  readonly #caller: Caller;
  readonly #path: string;
  readonly #query: { readonly name?: string };

  /** @internal */
  constructor(
    caller: Caller,
    readonly key: ShadowName,
  ) {
    this.#caller = caller;
    this.#path = `/v1/things/${encodeURIComponent(key.thing)}/shadow`;
    this.#query = key.shadow === null ? {} : { name: key.shadow };
    this.desired = this.#section('desired');
    this.reported = this.#section('reported');
  }

  /**
   * null: there is no such shadow.
   * @throws UmbraError
   */
  async get({ minRevision, ...options }: GetOptions = {}): Promise<ShadowState<T> | null> {
    const state = await this.#read({ minRevision, ...options });
    return state.version === 0 ? null : state;
  }

  /**
   * Merges into both sections at once. Creates the shadow if there is none.
   * @throws UmbraError
   */
  patch(patch: Patch<T>, options: WriteOptions = {}): Promise<ShadowState<T>> {
    // A token that is undefined is no member of the JSON.
    return this.#write('shadow.update', '', { state: patch, clientToken: options.clientToken }, options);
  }

  /**
   * Changes the shadow by what it is: `change` gets the present state, with version 0 if there is none, and returns the
   * patch, or null to leave it. It runs again if somebody else was faster, so it must do nothing else.
   * @throws UmbraError; `precondition-failed` after too many conflicts; what `change` throws
   */
  update(
    change: (now: ShadowState<T>) => Patch<T> | null | Promise<Patch<T> | null>,
    options: UpdateOptions<T> = {},
  ): Promise<ShadowState<T>> {
    let isSent = false;
    const noted: typeof change = async (now) => {
      const patch = await change(now);
      isSent = true;
      return patch;
    };
    return this.#caller.within(
      `the update of ${this.#path}`,
      options,
      (signal) => this.#update(noted, { ...options, signal }),
      () => isSent,
    );
  }

  /**
   * Returns the version that was deleted.
   * @throws UmbraError; `not-found` if there is none
   */
  async delete(options: WriteOptions = {}): Promise<Written> {
    const { clientToken } = options;
    const answer = await this.#caller.call({
      ...{ name: 'shadow.delete', method: 'DELETE', path: this.#path, query: this.#query },
      ...sent(options),
      ...(clientToken !== undefined && { body: { clientToken } }),
    });
    return { version: Number(jsonOf(answer, true)['version']), revision: revisionOf(answer) };
  }

  /**
   * Waits until the device has reported all that is desired, by default for 30 s, and returns the state in which it has.
   * @throws UmbraError `timeout`; `not-found` if there is no shadow, or it is deleted meanwhile
   */
  converged(options: CallOptions & Pick<StreamOptions, 'heartbeatMs'> = {}): Promise<ShadowState<T>> {
    const { timeoutMs = 30_000, signal, ...stream } = options;
    const what = `waiting for ${this.#path} to converge`;
    return this.#caller.within(what, { timeoutMs, signal }, async (ends) => {
      let exists = false;
      const parts = { ...stream, initial: true, signal: ends };
      for await (const event of new ChangeStream(this.#caller, this.#source, parts).events()) {
        if (event.type === 'reload') continue;
        const state = event.type === 'bookmark' ? null : followed<T>(event.data);
        // The first bookmark comes after the initial state, and later ones while nothing changes.
        if (state === null && (event.type === 'change' || !exists))
          throw new UmbraError({ code: 'not-found', message: `${what}: there is no such shadow` });
        exists = true;
        if (state?.delta === null) return state;
      }
      throw clientError('closed', 'the stream has ended');
    });
  }

  /**
   * Every change of this shadow, in order. Ends when the signal aborts.
   * @throws UmbraError as `Umbra.watch` does
   */
  watch(options: WatchOptions = {}): AsyncGenerator<Change<T>, void, undefined> {
    return watched(this.#caller, this.#source, options);
  }

  get #source(): Source {
    return { path: `${this.#path}/watch`, query: this.#query };
  }

  async #read({ minRevision, ...options }: GetOptions): Promise<ShadowState<T>> {
    const query = { ...this.#query, minRevision };
    try {
      const answer = await this.#caller.call({ name: 'shadow.get', path: this.#path, query, ...options });
      return stateOf<T>(jsonOf(answer), this.key, revisionOf(answer));
    } catch (error) {
      if ((error as UmbraError).code !== 'not-found') throw error;
      return noState<T>(this.key, 0);
    }
  }

  async #update(
    change: (now: ShadowState<T>) => Patch<T> | null | Promise<Patch<T> | null>,
    { attempts = 16, known, ...options }: UpdateOptions<T> & { signal: AbortSignal },
  ): Promise<ShadowState<T>> {
    const { signal, timeoutMs } = options;
    const { clock, random } = this.#caller.platform;
    let now = known ?? (await this.#read({ signal, timeoutMs }));
    for (let attempt = 1; ; attempt++) {
      const patch = await change(now);
      if (patch === null) return now;
      try {
        return await this.patch(patch, { ...options, ifVersion: now.version === 0 ? 'absent' : now.version });
      } catch (error) {
        if ((error as UmbraError).code !== 'precondition-failed' || attempt >= attempts) throw error;
      }
      await pause(clock, random() * CONFLICT_MS * attempt, signal, 'the update');
      now = await this.#read({ signal, timeoutMs });
    }
  }

  #section<S>(section: 'desired' | 'reported'): SectionOf<S, T> {
    return {
      patch: (patch, options) => this.patch({ [section]: patch } as Patch<T>, options),
      replace: (value, options) =>
        this.#write(
          'shadow.replace',
          `/${section}`,
          [{ op: 'replace', path: '', value }],
          options,
          'application/json-patch+json',
        ),
      clear: (options) => this.patch({ [section]: null } as Patch<T>, options),
    };
  }

  async #write(
    name: string,
    section: string,
    body: object,
    options: WriteOptions = {},
    type?: string,
  ): Promise<ShadowState<T>> {
    const answer = await this.#caller.call({
      ...{ name, method: 'PATCH', path: this.#path + section, query: this.#query, body },
      ...sent(options, type),
    });
    return stateOf<T>(jsonOf(answer, true), this.key, revisionOf(answer));
  }
}

/** The options of a write that each of its requests has. */
function sent({ ifVersion, lease, signal, timeoutMs, idempotencyKey }: WriteOptions, type?: string) {
  const headers = {
    ...(typeof ifVersion === 'number' && { 'if-match': `"${ifVersion}"` }),
    ...(ifVersion === 'exists' && { 'if-match': '*' }),
    ...(ifVersion === 'absent' && { 'if-none-match': '*' }),
    ...(lease !== undefined && { 'umbra-lease': lease }),
    ...(type !== undefined && { 'content-type': type }),
  };
  return { headers, signal, timeoutMs, idempotencyKey };
}
