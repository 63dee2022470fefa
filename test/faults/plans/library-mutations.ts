import { PROMISES } from '../validate/promises.js';
import { mutation, type Mutation } from './mutation.js';
import { CLIENTS, READERS } from './plan-names.js';

/** Bugs of the client library. */
export const LIBRARY_MUTATIONS: readonly Mutation[] = [
  mutation(
    'a cursor of the client library that is saved before the body of the loop',
    READERS,
    [PROMISES.library],
    [
      'sdk/watch/watch.js watched',
      "if (change !== null) yield change; if ('id' in event) await kept?.save(event.id);",
      "if ('id' in event) await kept?.save(event.id); if (change !== null) yield change;",
    ],
  ),
  mutation(
    'a cache that ignores deletions',
    READERS,
    [PROMISES.libraryCache],
    [
      'sdk/cache/cache.js #change',
      'state === null ? this.#entries.remove(data) : this.#entries.set(state)',
      'state === null ? { before: null, after: null } : this.#entries.set(state)',
    ],
  ),
  mutation(
    'a cache that keeps what a reload no longer has',
    READERS,
    [PROMISES.libraryCache],
    [
      'sdk/cache/entries.js replace',
      'const gone = this.all().filter((state) => !fresh.has(keyOf(state)));',
      'const gone = [];',
    ],
  ),
  mutation(
    'an outbox that drops one report of three',
    CLIENTS,
    [PROMISES.clientLost],
    ['sdk/device/report-queue.js #mergedFrom', 'merge.add(patch)', '(end - at === 2 || merge.add(patch))'],
  ),
  mutation(
    'reports of an earlier process that go last',
    CLIENTS,
    [PROMISES.clientOrder],
    ['sdk/device/report-queue.js restore', '[...before, ...this.#waiting]', '[...this.#waiting, ...before]'],
  ),
  mutation(
    'an update in doubt that is given up',
    CLIENTS,
    [PROMISES.clientLost],
    ['sdk/device/reports.js #untilAnswered', '!error.retryable &&', 'this.#isDoubtful || !error.retryable &&'],
  ),
  mutation(
    'a wait that leaves its listener behind',
    CLIENTS,
    [PROMISES.clientLeaks],
    ['sdk/within.js within', 'unlink();', ''],
  ),
];
