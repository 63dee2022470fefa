import { PROMISES } from '../validate/promises.js';
import { mutation, type Mutation } from './mutation.js';
import { EXACTNESS, TRANSACTIONS } from './plan-names.js';

/** What only the plans with readers, leases, keys and promotions catch. */
export const FLEET_MUTATIONS: readonly Mutation[] = [
  mutation(
    'a cursor that is gone and resumes at the present',
    EXACTNESS,
    [PROMISES.exact, PROMISES.compacted],
    [
      'watch/catch-up.js bring',
      'if (error instanceof FeedGap) return this.#gap(error.reason);',
      'if (error instanceof FeedGap) return this.hub.join(this.queue, allSeen((await this.hub.history(this.queue.signal)).position));',
    ],
  ),
  mutation(
    'a cursor that is gone as soon as it is not in memory',
    EXACTNESS,
    [PROMISES.compacted],
    [
      'watch/catch-up.js #follow',
      "if (place === 'older') {",
      "if (place === 'older') { throw new FeedGap('compacted');",
    ],
  ),
  mutation(
    'a bookmark past what was left out',
    EXACTNESS,
    [PROMISES.exact],
    [
      'shadow/copy-events.js',
      "{ kind: 'bookmark', cursor: event.cursor }",
      "{ kind: 'bookmark', cursor: { ...event.cursor, revision: event.cursor.revision + 5, seen: null } }",
    ],
  ),
  mutation(
    'a filter of real changes that lets all through',
    EXACTNESS,
    [PROMISES.filters],
    ['shadow/documents-before.js isRealChange', 'return SECTIONS.some(', 'return true || SECTIONS.some('],
  ),
  mutation(
    'the fence of an update that is not compared',
    TRANSACTIONS,
    [PROMISES.fenced],
    ['store/etcd/etcd-shadow-store.js submit', 'const { fence } = operation;', 'const fence = undefined;'],
  ),
  mutation(
    'the fence of a transaction that is not compared',
    TRANSACTIONS,
    [PROMISES.fenced],
    [
      'store/etcd/etcd-shadow-store.js transact',
      'fence: options.fence && toFencedBy(prefix, options.fence),',
      'fence: undefined,',
    ],
  ),
  mutation(
    'answers that only their own node finds',
    TRANSACTIONS,
    [PROMISES.twice, PROMISES.rejected, PROMISES.sameAnswer],
    ['idempotency/idempotent-writes.js', 'const place = placeOf(head);', 'const place = placeOf(head) + process.pid;'],
  ),
  mutation(
    'a promotion of whatever is staged',
    TRANSACTIONS,
    [PROMISES.promoted],
    ['transactions/apply-operations.js #promote', 'staged.checkVersion(operation.fromVersion);', ''],
  ),
  mutation(
    'a promotion that leaves members that are not staged',
    TRANSACTIONS,
    [PROMISES.promoted],
    ['transactions/apply-operations.js #promote', "target.replace('desired', desired)", 'target.update({ desired })'],
  ),
];
