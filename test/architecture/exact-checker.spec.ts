import { digestOf, type Commit } from '../faults/model/commit.js';
import { Commits, ExactHistory, Segment } from '../faults/model/exact-history.js';
import { exactViews } from '../faults/model/exact-view.js';
import { judgeExact } from '../faults/validate/exact.js';
import { PROMISES } from '../faults/validate/promises.js';

const commit = (revision: number): Commit => ({
  revision,
  thing: `x-${revision % 2}`,
  name: null,
  shadow: `x-${revision % 2}`,
  deleted: false,
  version: revision,
  token: `t${revision}`,
  patch: { desired: { n: revision } },
  desired: { n: revision },
  reported: {},
  previous: null,
  at: performance.now(),
});

const digest = (revision: number): number => digestOf({ ...commit(revision), delta: { n: revision } });

/** Five commits, and one reader that was told these of them. */
function told(revisions: readonly number[], reached = 5): { history: ExactHistory; segment: Segment } {
  const commits = new Commits(exactViews('x-'));
  for (let revision = 1; revision <= 5; revision++) commits.add(commit(revision));
  const history = new ExactHistory(commits, 1_000);
  const segment = Object.assign(new Segment(), { base: 1, reached });
  for (const revision of revisions) {
    segment.revisions.push(revision);
    segment.digests.push(digest(revision));
  }
  history.readers.push({ name: 'reader', view: 0, segments: [segment] });
  return { history, segment };
}

function broken(history: ExactHistory): string[] {
  const promises: string[] = [];
  judgeExact(history, (promise) => promises.push(promise));
  return [...new Set(promises)];
}

/** The checker of the long runs of the fault lab: what it does not see in a second, it does not see in half an hour. */
describe('the checker of what readers were told', () => {
  it.each([
    ['everything', [2, 3, 4, 5], 5, []],
    ['a gap', [2, 4, 5], 5, [PROMISES.exact]],
    ['a duplicate', [2, 3, 3, 4, 5], 5, [PROMISES.exact]],
    ['another order', [2, 4, 3, 5], 5, [PROMISES.exact]],
    ['what it had before', [1, 2, 3, 4, 5], 5, [PROMISES.exact]],
    ['not the last one', [2, 3, 4], 5, [PROMISES.exact]],
    ['not up to the end', [2, 3, 4], 4, [PROMISES.exact]],
  ])('%s', (_name, revisions, reached, promises) => {
    expect(broken(told(revisions, reached).history)).toEqual(promises);
  });

  it('sees another content and what does not fit the filter', () => {
    const other = told([2, 3, 4]);
    other.segment.revisions.push(5);
    other.segment.digests.push(digest(4));
    expect(broken(other.history)).toEqual([PROMISES.exact]);
    const { history } = told([2, 3, 4, 5]);
    const view = history.commits.views.findIndex(({ name }) => name === 'deletions');
    history.readers[0] = { ...history.readers[0]!, view };
    expect(broken(history)).toEqual([PROMISES.filters]);
  });

  it('sees a present state that is not that of its revision', () => {
    const { history, segment } = told([5]);
    Object.assign(segment, { base: 4, initial: [digest(3), digest(4)] });
    expect(broken(history)).toEqual([]);
    segment.initial = [digest(4)];
    expect(broken(history)).toEqual([PROMISES.exact]);
  });

  it.each([
    ['no compaction', 'compacted', 2, null, 0, [PROMISES.compacted]],
    ['a compaction that takes nothing from it', 'compacted', 2, 3, 0, [PROMISES.compacted]],
    ['a compaction, and a node without memory of it', 'compacted', 2, 5, 4, []],
    ['a compaction, and a node that has it in memory', 'compacted', 2, 5, 1, [PROMISES.compacted]],
    ['the same, resumed', 'resumed', 2, 5, 1, []],
    ['a compaction, and a node that cannot have it', 'resumed', 2, 5, 4, [PROMISES.compacted]],
  ] as const)('%s', (_name, outcome, revision, compacted, startedAt, promises) => {
    const { history } = told([2, 3, 4, 5]);
    const now = performance.now();
    if (compacted !== null) history.compactions.push({ revision: compacted, from: now - 20, to: now - 10 });
    history.lifetimes.push({ node: 0, startedAt, readyAt: startedAt, from: now - 30 });
    history.resumptions.push({ reader: 'reader', node: 0, revision, asked: now - 5, at: now, outcome });
    expect(broken(history)).toEqual(promises);
  });
});
