import {
  placeOf,
  type CacheHistory,
  type Epoch,
  type LibraryHistory,
  type Place,
  type Shown,
  type WatchHistory,
  type WatchLine,
} from '../model/library-history.js';
import type { Report } from './findings.js';
import { PROMISES } from './promises.js';

/** What the watches and caches of the client library have told, against what etcd has kept. */
export function judgeLibrary(history: LibraryHistory, report: Report): void {
  for (const { promise, text } of history.remarks) report(promise, text);
  for (const watch of history.watches) new WatchCheck(watch, history, report).run();
  for (const cache of history.caches) checkCache(cache, history, report);
}

/** A place in the commits of one epoch. */
interface At {
  readonly epoch: number;
  /** The commit that comes next. */
  readonly next: number;
}

/**
 * Follows one watch: each change that it handles is the next commit. After a new process it may go back to behind the
 * cursor that was saved last, and only there.
 */
class WatchCheck {
  /** Null: not known before the next cursor. */
  #at: At | null = null;
  /** Behind the cursor in its file. */
  #saved: At | null = null;
  /** Places where a process that has just begun may be. */
  #mayBe: At[] = [];
  /** It was told to start over, so what it has missed is not asked for. */
  #isGone = true;
  #handled = '';
  #initial = new Map<number, number>();
  #isWrong = false;

  constructor(
    private readonly watch: WatchHistory,
    private readonly history: LibraryHistory,
    private readonly report: Report,
  ) {}

  run(): void {
    for (const line of this.watch.lines) {
      this.#take(line);
      // The rest would only repeat it.
      if (this.#isWrong) return;
    }
    const last = this.history.epochs.length - 1;
    const { length } = this.history.epoch.revisions;
    if (this.#at?.epoch !== last || this.#at.next !== length)
      this.#wrong(`ends behind ${this.#at?.next} commits of epoch ${this.#at?.epoch}, of ${length} of epoch ${last}`);
  }

  #take(line: WatchLine): void {
    switch (line.kind) {
      case 'start':
        this.#mayBe = [this.#saved, this.#at].filter((at) => at !== null);
        this.#initial.clear();
        return;
      case 'initial':
        this.#initial.set(this.history.names.of(line.shadow), line.digest);
        return;
      case 'change':
        return this.#change(line.digest, line.cursor);
      case 'saved':
        return this.#save(line.cursor);
      case 'gone':
        return this.#gone(line.reason, line.at);
      case 'forgotten':
        this.#saved = null;
    }
  }

  #change(digest: number, cursor: string): void {
    const place = placeOf(cursor);
    const at = this.#candidates().find((each) => this.#isNext(each, digest, place));
    if (at === undefined) return this.#wrong(`handled ${nameOf(place)}, and ${this.#expected()} was next`);
    this.#settle({ epoch: at.epoch, next: at.next + 1 });
    this.#handled = cursor;
  }

  #save(cursor: string): void {
    if (cursor === this.#handled && this.#at !== null) this.#settle(this.#at);
    else this.#bookmark(cursor);
    this.#saved = this.#at;
  }

  /** Nothing is between the place before and it. */
  #bookmark(cursor: string): void {
    const place = placeOf(cursor);
    const epoch = this.history.epochs[place.epoch];
    if (epoch === undefined) return this.#wrong(`has a cursor of epoch ${place.epoch}`);
    const next = epoch.revisions.firstAbove(place.seen === null ? place.revision : place.revision - 1);
    const at = this.#candidates().find((each) => each.epoch === place.epoch && each.next === next);
    if (at === undefined && !this.#isGone) return this.#wrong(`saved ${nameOf(place)} before ${this.#expected()}`);
    if (at === undefined && this.#initial.size > 0) this.#checkInitial(epoch, place.revision);
    this.#settle({ epoch: place.epoch, next });
  }

  #candidates(): readonly At[] {
    return this.#mayBe.length > 0 ? this.#mayBe : this.#at === null ? [] : [this.#at];
  }

  #settle(at: At): void {
    this.#at = at;
    this.#mayBe = [];
    this.#isGone = false;
    this.#initial.clear();
  }

  #isNext({ epoch, next }: At, digest: number, place: Place): boolean {
    const { revisions, digests } = this.history.epochs[epoch]!;
    if (place.epoch !== epoch || next >= revisions.length) return false;
    return revisions.at(next) === place.revision && digests.at(next) === digest;
  }

  #expected(): string {
    const all = this.#candidates().map(({ epoch, next }) => {
      const { revisions } = this.history.epochs[epoch]!;
      return next < revisions.length ? `revision ${revisions.at(next)} of epoch ${epoch}` : `nothing of epoch ${epoch}`;
    });
    return all.length === 0 ? 'a cursor' : all.join(' or ');
  }

  /** The present state that came before a cursor is what the commits until then have made. */
  #checkInitial(epoch: Epoch, revision: number): void {
    const held = heldAt(epoch, revision);
    if (!isSame(held, this.#initial))
      this.#wrong(`began with ${this.#initial.size} shadows as of ${revision}, of ${held.size} or others`);
  }

  #gone(reason: string, at: number): void {
    this.#initial.clear();
    // The present state was coming, and comes again.
    if (reason === 'cut-off') return;
    this.#checkGone(reason, at);
    this.#isGone = true;
    this.#at = null;
    this.#mayBe = [];
  }

  /** What it was told is so: by a compaction behind its cursor, or by a backup that was restored since. */
  #checkGone(reason: string, at: number): void {
    const { epochs, restores } = this.history;
    this.history.count(`watch: ${reason}`);
    const from = this.#at ?? this.#saved;
    if (from === null) return;
    const { revisions, compactions } = epochs[from.epoch]!;
    const revision = from.next === 0 ? 0 : revisions.at(from.next - 1);
    const isCompacted = compactions.some((each) => each.revision > revision && each.at < at);
    const isRestored = restores[from.epoch] !== undefined && restores[from.epoch]! < at;
    const isTrue = reason === 'compacted' ? isCompacted : reason === 'epoch-changed' && isRestored;
    if (isTrue) return;
    const where = `revision ${revision} of epoch ${from.epoch}`;
    this.report(PROMISES.libraryEnds, `${this.watch.name} was told ${reason} behind ${where}`);
  }

  #wrong(text: string): void {
    this.#isWrong = true;
    this.report(PROMISES.library, `${this.watch.name} ${text}`);
  }
}

const nameOf = ({ epoch, revision, seen }: Place): string =>
  `revision ${revision}${seen === null ? '' : ` (${seen})`} of epoch ${epoch}`;

/** What the shadows hold as of a revision. */
function heldAt({ revisions, shadows, states }: Epoch, revision: number): Map<number, number> {
  const held = new Map<number, number>();
  for (let i = 0, end = revisions.firstAbove(revision); i < end; i++) put(held, shadows.at(i), states.at(i));
  return held;
}

function put(held: Map<number, number>, shadow: number, state: number): void {
  if (state === 0) held.delete(shadow);
  else held.set(shadow, state);
}

function isSame(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  return a.size === b.size && [...a].every(([shadow, state]) => b.get(shadow) === state);
}

/** All that a cache showed, at each of its revisions: none may be of a mixture of two epochs. */
function checkCache({ name, shown }: CacheHistory, history: LibraryHistory, report: Report): void {
  const open = new Set(shown);
  for (const [number, epoch] of history.epochs.entries()) {
    const due = [...open].filter((each) => each.epoch >= number).sort((a, b) => a.revision - b.revision);
    for (const each of shownIn(epoch, due)) open.delete(each);
  }
  for (const { revision, epoch, states } of open)
    report(PROMISES.libraryCache, `${name} showed ${states.size} shadows at revision ${revision}, by epoch ${epoch}`);
  const last = shown.at(-1);
  const { epoch } = history;
  const isLast = last?.isLive === true && last.revision >= epoch.last && isSame(last.states, heldAt(epoch, epoch.last));
  if (!isLast) report(PROMISES.libraryCache, `${name} ends at revision ${last?.revision}, the store at ${epoch.last}`);
}

/** Those that show what this epoch has. @param due by their revisions */
function* shownIn(epoch: Epoch, due: readonly Shown[]): Generator<Shown> {
  const { revisions, shadows, states } = epoch;
  const held = new Map<number, number>();
  let next = 0;
  for (const each of due) {
    for (; next < revisions.length && revisions.at(next) <= each.revision; next++)
      put(held, shadows.at(next), states.at(next));
    // A cache that is in the middle of a revision has a part of it.
    const ahead = new Map(held);
    const changed = new Set<number>();
    for (let i = next; i < revisions.length && revisions.at(i) === each.revision + 1; i++) {
      put(ahead, shadows.at(i), states.at(i));
      changed.add(shadows.at(i));
    }
    const names = new Set([...held.keys(), ...ahead.keys(), ...each.states.keys()]);
    const fits = (shadow: number): boolean => {
      const state = each.states.get(shadow);
      return state === held.get(shadow) || (changed.has(shadow) && state === ahead.get(shadow));
    };
    if ([...names].every(fits)) yield each;
  }
}
