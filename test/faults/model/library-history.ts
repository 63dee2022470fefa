import { deltaOf, digestOf, type Commit, type Said } from './commit.js';
import { Numbers } from './exact-history.js';

/** What a shadow holds, apart from the change that made it. */
export type Held = Pick<Said, 'shadow' | 'version' | 'desired' | 'reported' | 'delta'>;

/** 32 bits of what a shadow holds. */
export const stateDigest = (held: Held): number => digestOf({ ...held, deleted: false, token: null, patch: null });

/** Names of shadows as numbers, the same in all epochs. */
export class Names {
  readonly all: string[] = [];
  readonly #numbers = new Map<string, number>();

  of(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.all.push(name) - 1;
      this.#numbers.set(name, number);
    }
    return number;
  }
}

/** What etcd has kept, from its beginning to the next restored backup. */
export class Epoch {
  readonly revisions = new Numbers();
  /** Of the changes. */
  readonly digests = new Numbers();
  readonly shadows = new Numbers();
  /** Of what the shadow holds then; 0: it is deleted. */
  readonly states = new Numbers();
  /** Revisions up to which the history is gone, and when that began, in milliseconds of the monotonic clock. */
  readonly compactions: { readonly revision: number; readonly at: number }[] = [];
  readonly #made = new Set<string>();
  #inherited = 0;

  constructor(private readonly names: Names) {}

  /** Commits that were made in it, and are not of the backup. */
  get own(): number {
    return this.revisions.length - this.#inherited;
  }

  get last(): number {
    const { length } = this.revisions;
    return length === 0 ? 0 : this.revisions.at(length - 1);
  }

  add(commit: Commit): void {
    const said = { ...commit, delta: deltaOf(commit) };
    this.#add(commit.revision, digestOf(said), this.names.of(commit.shadow), commit.deleted ? 0 : stateDigest(said));
    if (commit.token !== null) this.#made.add(`${commit.token} ${commit.shadow} ${commit.version}`);
  }

  /** Whether the request of this token has made this version in this epoch. */
  has(token: string, shadow: string, version: number): boolean {
    return this.#made.has(`${token} ${shadow} ${version}`);
  }

  /** The epoch that a restored backup begins: it has what was there up to a revision. */
  restored(revision: number): Epoch {
    const next = new Epoch(this.names);
    const end = this.revisions.firstAbove(revision);
    for (let i = 0; i < end; i++)
      next.#add(this.revisions.at(i), this.digests.at(i), this.shadows.at(i), this.states.at(i));
    next.#inherited = end;
    return next;
  }

  #add(revision: number, digest: number, shadow: number, state: number): void {
    this.revisions.push(revision);
    this.digests.push(digest);
    this.shadows.push(shadow);
    this.states.push(state);
  }
}

/** How far a cursor is. */
export interface Place {
  readonly epoch: number;
  readonly revision: number;
  /** Records of this revision that it is behind; null: all. */
  readonly seen: number | null;
}

/** What a cursor says: they are opaque to everybody but the service and this lab. @throws Error for what is none */
export function placeOf(cursor: string): Place {
  const [, , epoch, revision, seen] = Buffer.from(cursor, 'base64url').toString().split('.');
  if (seen === undefined) throw new Error(`"${cursor}" is no cursor`);
  return { epoch: Number(epoch), revision: Number(revision), seen: seen === 'all' ? null : Number(seen) };
}

/** What a program around a watch of the library tells: each line in the order in which it was written. */
export type WatchLine =
  /** Its process has begun. */
  | { readonly kind: 'start' }
  | { readonly kind: 'change'; readonly digest: number; readonly cursor: string }
  | { readonly kind: 'initial'; readonly shadow: string; readonly digest: number }
  /** The cursor is in its file. */
  | { readonly kind: 'saved'; readonly cursor: string }
  /** The loop has ended, or begins with the present state. `at`: when the lab heard of it. */
  | { readonly kind: 'gone'; readonly reason: string; readonly at: number }
  /** The file of the cursor is away. */
  | { readonly kind: 'forgotten' };

/** What a cache shows: at this revision, or with what the one after it has made already. */
export interface Shown {
  readonly revision: number;
  /** The epoch of the store when the lab heard of it. */
  readonly epoch: number;
  readonly isLive: boolean;
  /** Digests of what the shadows hold, by their numbers. */
  readonly states: ReadonlyMap<number, number>;
}

export interface WatchHistory {
  readonly name: string;
  readonly lines: WatchLine[];
}

export interface CacheHistory {
  readonly name: string;
  readonly shown: Shown[];
}

/** All that was committed, and what the readers of the library told. */
export class LibraryHistory {
  readonly names = new Names();
  readonly epochs: [Epoch, ...Epoch[]] = [new Epoch(this.names)];
  /** Milliseconds of the monotonic clock at which each epoch after the first could be seen. */
  readonly restores: number[] = [];
  readonly watches: WatchHistory[] = [];
  readonly caches: CacheHistory[] = [];
  readonly acked: { readonly token: string; readonly shadow: string; readonly version: number }[] = [];
  readonly remarks: { readonly promise: string; readonly text: string }[] = [];
  /** How often each of these happened. */
  readonly counts = new Map<string, number>();

  /** The present one. */
  get epoch(): Epoch {
    return this.epochs.at(-1)!;
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }
}
