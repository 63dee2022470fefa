import { deltaOf, digestOf, type Commit } from '../faults/model/commit.js';
import { LibraryHistory, stateDigest, type Shown, type WatchLine } from '../faults/model/library-history.js';
import { judgeLibrary } from '../faults/validate/library.js';
import { PROMISES } from '../faults/validate/promises.js';

/** The thing of a revision; revision 4 deletes what revision 2 has made. */
const commit = (revision: number): Commit => ({
  ...{ revision, thing: `x-${revision % 2}`, name: null, shadow: `x-${revision % 2}`, deleted: revision === 4 },
  ...{ version: revision, token: null, patch: null, desired: { n: revision }, reported: {} },
  ...{ previous: null, at: performance.now() },
});
const said = (revision: number) => ({ ...commit(revision), delta: deltaOf(commit(revision)) });
const cursor = (revision: number, epoch = 0): string =>
  Buffer.from(`1.c.${epoch}.${revision}.all`).toString('base64url');

const start: WatchLine = { kind: 'start' };
const change = (revision: number): WatchLine => ({
  ...{ kind: 'change', digest: digestOf(said(revision)), cursor: cursor(revision) },
});
const saved = (revision: number, epoch = 0): WatchLine => ({ kind: 'saved', cursor: cursor(revision, epoch) });
const gone = (reason: string): WatchLine => ({ kind: 'gone', reason, at: performance.now() + 1_000 });
/** Handled, and then saved. */
const taken = (...revisions: readonly number[]): WatchLine[] =>
  revisions.flatMap((each) => [change(each), saved(each)]);

/** Five commits. */
function history(): LibraryHistory {
  const all = new LibraryHistory();
  for (let revision = 1; revision <= 5; revision++) all.epoch.add(commit(revision));
  return all;
}

function broken(all: LibraryHistory): string[] {
  const promises = new Set<string>();
  judgeLibrary(all, (promise) => promises.add(promise));
  return [...promises];
}

/** The checker of the long runs of the fault lab: what it does not see in a second, it does not see in half an hour. */
describe('the checker of the client library', () => {
  it.each<[string, WatchLine[], string[]]>([
    ['everything', [start, saved(1), ...taken(2, 3, 4, 5)], []],
    ['a gap', [start, saved(1), ...taken(2, 4, 5)], [PROMISES.library]],
    ['a gap that a bookmark hides', [start, saved(1), ...taken(2), saved(4), ...taken(5)], [PROMISES.library]],
    ['a repetition', [start, saved(1), ...taken(2, 2, 3, 4, 5)], [PROMISES.library]],
    ['a repetition after a kill', [start, saved(1), ...taken(2), change(3), start, ...taken(3, 4, 5)], []],
    ['none after a kill', [start, saved(1), ...taken(2), change(3), start, ...taken(4, 5)], []],
    ['too much of it', [start, saved(1), ...taken(2, 3), start, ...taken(2, 3, 4, 5)], [PROMISES.library]],
    ['a cursor before the body', [start, saved(1), saved(2), change(2), ...taken(3, 4, 5)], [PROMISES.library]],
    ['not up to the end', [start, saved(1), ...taken(2, 3, 4)], [PROMISES.library]],
    ['gone without a reason', [start, saved(1), gone('compacted'), saved(5)], [PROMISES.libraryEnds]],
    ['a cursor of an epoch that never was', [start, saved(1, 1)], [PROMISES.library]],
  ])('%s', (_name, lines, promises) => {
    const all = history();
    all.watches.push({ name: 'watch', lines });
    expect(broken(all)).toEqual(promises);
  });

  it('goes on where a compaction, or a restored backup, has taken what was next', () => {
    const all = history();
    all.epoch.compactions.push({ revision: 4, at: 0 });
    all.epochs.push(all.epoch.restored(3));
    all.restores.push(performance.now());
    const lines = [start, saved(1), gone('compacted'), saved(4), gone('epoch-changed'), saved(3, 1)];
    all.watches.push({ name: 'watch', lines });
    expect(broken(all)).toEqual([]);
  });

  const shown = (revision: number, ...of: readonly number[]): Shown => ({
    ...{ revision, epoch: 0, isLive: true },
    states: new Map(of.map((each) => [(each + 1) % 2, stateDigest(said(each))])),
  });
  it.each<[string, Shown[], string[]]>([
    ['all', [shown(2, 1, 2), shown(4, 3), shown(5, 5)], []],
    ['a part of the next revision', [shown(3, 3), shown(5, 5)], []],
    ['what was deleted', [shown(5, 5, 2)], [PROMISES.libraryCache]],
    ['something old', [shown(4, 1), shown(5, 5)], [PROMISES.libraryCache]],
    ['something later', [shown(1, 3), shown(5, 5)], [PROMISES.libraryCache]],
    ['not up to the end', [shown(3, 3, 2)], [PROMISES.libraryCache]],
  ])('of a cache: %s', (_name, states, promises) => {
    const all = history();
    all.caches.push({ name: 'cache', shown: states });
    expect(broken(all)).toEqual(promises);
  });
});
