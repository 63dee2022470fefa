import { PROMISES } from '../validate/promises.js';
import { ACCESS_MUTATIONS } from './access-mutations.js';
import { FLEET_MUTATIONS } from './fleet-mutations.js';
import { LIBRARY_MUTATIONS } from './library-mutations.js';
import { ROLLOUT_MUTATIONS } from './rollout-mutations.js';
import { RUNTIME_MUTATIONS } from './runtime-mutations.js';
import { mutation, type Mutation } from './mutation.js';
import { SINK_MUTATIONS } from './sink-mutations.js';

const BEGIN = 'this.shadow.begin(request, parseUpdate(request.payload, this.config.limits), ';
const ACCEPTED =
  "if (reader.wants('update/accepted'))\n        reader.take('update/accepted', updateAcceptedText(state, change));";
const DELTA = "const delta = reader.wants('update/delta') ? deltaText(state, change) : null;";

export const MUTATIONS: readonly Mutation[] = [
  mutation(
    'PUBACK before the commit',
    'etcd swallows everything',
    [PROMISES.lost],
    [
      'shadow/update.mqtt.js',
      `${BEGIN}outcome);`,
      `${BEGIN}{ committed: () => undefined, failed: () => undefined }); outcome.committed({ position: { revision: 0 } });`,
    ],
  ),
  mutation(
    'a bare put instead of compare-and-set',
    'calm, 3 nodes',
    [PROMISES.lost, PROMISES.versions, PROMISES.feed],
    // As a field that no Txn has, and that etcd skips.
    [
      'store/etcd/client/protobuf/txn-request.js writeGuarded',
      'const keyAt = writeUnmoved(writer, key, keyBytes, guard);',
      `writer.begin(0x7a, unmovedSize(keyBytes, guard));
        writer.number(COMPARE.target, TARGET_MOD);
        const keyAt = writer.bytes(COMPARE.key, key, keyBytes);
        writer.number(COMPARE.modRevision, guard);`,
    ],
  ),
  mutation(
    'a retry with a fresh guard after doubt',
    'responses lost after commit',
    [PROMISES.twice],
    ['store/etcd/write/shadow-write.js', 'if (outcome.doubted)', 'if (false)'],
    // The watch would have settled it before.
    ['store/etcd/open-etcd.js', 'commit.confirm(key, stored.value, at);', ';'],
  ),
  mutation(
    'a feed cursor past what was delivered',
    'responses lost after commit',
    [PROMISES.feed],
    ['store/etcd/feed/etcd-shadow-feed.js', 'follower.cursor = revision;', 'follower.cursor = revision + 2;'],
  ),
  mutation(
    'a dropped batch',
    'calm, 1 node',
    [PROMISES.feed],
    [
      'store/etcd/feed/etcd-shadow-feed.js',
      'return { position, records, packed',
      'if (revision % 40 === 0) return { position, records: [] }; return { position, records, packed',
    ],
  ),
  mutation(
    'a filter that leaves deletions out',
    'calm, 3 nodes',
    [PROMISES.filters],
    [
      'watch/watch-filter.js touches',
      'if (!isObject(at))\n            return true;',
      'if (!isObject(at))\n            return false;',
    ],
  ),
  mutation(
    'an event is lost while a reader has no credit',
    'calm, 3 nodes',
    [PROMISES.feed, PROMISES.filters, PROMISES.document],
    ['shadow/copy-events.js', 'let skippedSince = null;', 'let skippedSince = null; let isLost = false;'],
    [
      'shadow/copy-events.js',
      'return written && writer.ready();',
      'const ready = written && writer.ready(); isLost = ready instanceof Promise; return ready;',
    ],
    [
      'shadow/copy-events.js',
      'return (event) => {',
      'return (event) => { if (isLost) { isLost = false; return true; }',
    ],
  ),
  mutation(
    'a transaction that writes its first shadow alone',
    'calm, 3 nodes',
    [PROMISES.whole, PROMISES.lost],
    [
      'store/etcd/write/multi-shadow-txn.js',
      'put: { value: record.text, lease } });',
      'put: i === 0 ? { value: record.text, lease } : null });',
    ],
  ),
  mutation(
    'an Idempotency-Key that nobody remembers',
    'responses lost after commit',
    [PROMISES.rejected, PROMISES.twice],
    [
      'idempotency/idempotent-writes.js',
      'const place = placeOf(head);',
      'const place = placeOf(head) + Math.random();',
    ],
    // The doubt would be settled within the first request.
    [
      'store/etcd/write/multi-shadow-txn.js',
      'if (won) return this.#succeed(attempt, won);',
      "if (won) throw new ServiceError('outcomeUnknown');",
    ],
    ['store/etcd/open-etcd.js', 'commit.confirm(key, stored.value, at);', ';'],
  ),
  mutation(
    'serializable reads on whatever member answers',
    'leader partitioned from its peers',
    [PROMISES.reads],
    // The field `serializable` of a RangeRequest.
    [
      'store/etcd/client/protobuf/txn-request.js encodeReads',
      'const range = fieldSize(keyBytes) +',
      'const range = 2 + fieldSize(keyBytes) +',
    ],
    [
      'store/etcd/client/protobuf/txn-request.js encodeReads',
      'writer.bytes(RANGE.key, key, keyBytes);',
      'writer.bytes(RANGE.key, key, keyBytes); writer.number(0x38, 1);',
    ],
    ['store/etcd/client/channel/etcd-channel.js', "hasleader: 'true',", ''],
    ['store/etcd/client/etcd-client.js', "metadata.set('hasleader', 'true');", ''],
  ),
  mutation(
    'a get from the cache of the node',
    'one node cut off from etcd',
    [PROMISES.reads],
    [
      'store/etcd/etcd-shadow-store.js',
      'async get(key, options) {',
      `async get(key, options) {
        const cached = this.parts.cache.get(this.#format(key));
        if (cached?.record) return { key, state: cached.record.state, change: cached.record.change, position: { ...this.context.history, revision: cached.revision } };`,
    ],
  ),
  mutation(
    'accepted before delta',
    'calm, 1 node',
    [PROMISES.messages],
    ['document/change-messages.js', ACCEPTED, ''],
    ['document/change-messages.js', DELTA, `${ACCEPTED} ${DELTA}`],
  ),
  mutation(
    'a delta that is not the difference',
    'calm, 1 node',
    [PROMISES.delta],
    [
      'document/change-messages.js',
      'deltaText(state, change)',
      'deltaText({ ...state.toJSON(), desired: { ...state.desired, target: -1 } }, change)',
    ],
  ),
  mutation(
    'no delta',
    'calm, 1 node',
    [PROMISES.convergence],
    ['document/change-messages.js', DELTA, 'const delta = null;'],
  ),
  mutation(
    'a merge that replaces objects',
    'calm, 1 node',
    [PROMISES.document],
    ['document/merge.js', 'if (isObject(current))\n        return mergeObject(current, change);', ''],
  ),
  mutation(
    'ready whatever happens',
    'etcd swallows everything',
    [PROMISES.ready],
    ['health/health-registry.js', 'ready: parts.every(([, { ok }]) => ok)', 'ready: true'],
  ),
  mutation(
    'never ready again',
    'etcd swallows everything',
    [PROMISES.ready],
    [
      'health/health-registry.js',
      'return { ready: parts.every(([, { ok }]) => ok)',
      'const first = this.wasReady; const now = parts.every(([, { ok }]) => ok); this.wasReady ||= now; this.bad ||= first && !now;\n        return { ready: now && !this.bad',
    ],
  ),
  mutation(
    'rejected although the outcome is unknown',
    'etcd never answers',
    [PROMISES.rejected],
    [
      'mqtt/request-answerer.js #failed',
      "if (error.code !== 'outcomeUnknown') return this.#rejected(received, error);",
      'return this.#rejected(received, error);',
    ],
  ),
  mutation(
    'no bound for what waits for a subscriber',
    'devices that never read',
    [PROMISES.bounded],
    ['mqtt/built-in/connections/outbox.js', 'if (waiting <= maxBacklogBytes) return false;', 'return false;'],
    ['mqtt/built-in/connections/connection.js', 'now - blockedSince > this.door.config.drainTimeoutMs', 'false'],
  ),
  mutation(
    'a stream that resumes at the present',
    'SIGTERM during load',
    [PROMISES.feed],
    [
      'shadow/watch-stream.js',
      'startOf({ ...query, cursor }, request.deadline)',
      'startOf({ initial: query.initial }, request.deadline)',
    ],
  ),
  mutation(
    'a cursor that is always gone',
    'SIGTERM during load',
    [PROMISES.resume],
    ['shadow/watch.sse.js', 'await throwIfGone(watch, first);', "throw new ServiceError('cursorGone');"],
  ),
  mutation(
    'SIGTERM ends at once',
    'SIGTERM during load',
    [PROMISES.sigterm],
    ['shutdown.js', "logger.info(fields, 'stopping');", 'process.exit(1);'],
  ),
  mutation(
    'a lost watch ends the process',
    'etcd refuses connections',
    [PROMISES.up],
    [
      'store/etcd/feed/etcd-shadow-feed.js',
      'follower.ok = false;',
      "follower.ok = false; setImmediate(() => { throw new Error('mutation'); });",
    ],
  ),
  mutation(
    'no refusal when the storage is full',
    'quota alarm',
    [PROMISES.storage],
    ['store/etcd/write/quota-guard.js', 'if (this.#use.full)\n            throw', 'if (false)\n            throw'],
  ),
  mutation(
    'a delete that only answers',
    'calm, 1 node',
    [PROMISES.deleted],
    ['shadow/delete.http.js', ': this.shadow.delete(call, token);', ': Promise.resolve();'],
    [
      'shadow/delete.http.js',
      'await echoToken(token, deleted);',
      'await this.shadow.store.get(call.key, call).then((found) => ({ state: { version: 0, ...found?.state }, change: { at: Date.now(), clientToken: token }, position: { revision: 1 } }));',
    ],
  ),
  mutation(
    'a deleted shadow that can still be read',
    'calm, 1 node',
    [PROMISES.deleted],
    ['shadow/get.js', 'throw noShadow(key);', 'if (record === null) throw noShadow(key);'],
    ['shadow/get.js', 'return record;', 'return { ...record, state: { metadata: {}, ...record.state } };'],
  ),
  mutation(
    'a shadow that begins at 1 again',
    'calm, 1 node',
    [PROMISES.versions, PROMISES.feed],
    [
      'document/apply-update.js storedVersion',
      'isTombstone(current) ? current.version + 1',
      'isTombstone(current) ? null',
    ],
  ),
  mutation(
    'a list with what was deleted',
    'calm, 1 node',
    [PROMISES.lists],
    ['store/etcd/read/shadow-lister.js', "live: lease === '0'", 'live: true'],
  ),
  mutation(
    'a list that ends with its first page',
    'calm, 1 node',
    [PROMISES.lists],
    [
      'store/etcd/read/shadow-lister.js',
      'if (!more || last == null) return { names, revision };',
      'return { names, revision };',
    ],
  ),
  mutation(
    'a restored backup goes unnoticed',
    'restore from an older backup',
    [PROMISES.restored],
    ['store/etcd/feed/restore-detector.js', 'Number(header.revision) < highest', 'false'],
    ['store/etcd/feed/etcd-shadow-feed.js', 'if (!known)', 'if (false)'],
  ),
  // Below: what only the scenarios with one node, one clock or one reader of its own catch.
  mutation(
    'a lease that never ends by the clock of its node',
    'the holder of a lane cut off from etcd',
    [PROMISES.lease, PROMISES.undone],
    [
      'cluster/instances.js lease',
      'if (this.#lease !== null && this.options.clock.monotonic() >= this.#validUntil) this.#lose(MAYBE_ENDED);',
      '',
    ],
    ['cluster/instances.js #stay', 'this.#lose(MAYBE_ENDED)', 'undefined'],
  ),
  mutation(
    'a lane that writes without its claim',
    'the holder of a lane cut off from etcd',
    [PROMISES.undone],
    [
      'mqtt/external/transport.js',
      'const writeOptions = { fence: request.claim.fence, signal: request.over };',
      'const writeOptions = {};',
    ],
  ),
  mutation(
    'a write in doubt that counts as lost when its history is compacted',
    'doubt together with compaction',
    [PROMISES.twice],
    ['store/etcd/write/settle-doubt.js settleDoubt', ": { kind: 'unknown' };", ": { kind: 'lost' };"],
  ),
  mutation(
    'deadlines by the wall clock',
    'clock goes back while etcd is away',
    [PROMISES.answered],
    [
      'resilience/clock.js',
      'monotonic: () => performance.now()',
      'monotonic: ((offset) => () => Date.now() - offset)(Date.now() - performance.now())',
    ],
  ),
  mutation(
    'a tombstone that ends by the clock of one node',
    'clock of a node jumps by days',
    [PROMISES.versions, PROMISES.feed],
    [
      'document/apply-update.js storedVersion',
      'isTombstone(current) ? current.version + 1',
      'isTombstone(current) ? Date.now() / 1000 - current.deletedAt > 48 * 3600 ? null : current.version + 1',
    ],
  ),
  mutation(
    'a position that stays where the last change was',
    'quiet fleet, compaction, rolling restart',
    [PROMISES.quiet, PROMISES.resume],
    ['store/etcd/feed/watch-session.js #askForMarker', 'if (!isSilent && !isBehind)', 'if (!isSilent)'],
  ),
  mutation(
    'cursors of gRPC that are a revision ahead',
    'calm, 3 nodes',
    [PROMISES.filters],
    [
      'shadow/watch-messages.js',
      'cursorField(event.cursor)',
      'cursorField({ ...event.cursor, revision: event.cursor.revision + 1, seen: null })',
    ],
  ),
  ...ACCESS_MUTATIONS,
  ...FLEET_MUTATIONS,
  ...SINK_MUTATIONS,
  ...LIBRARY_MUTATIONS,
  ...ROLLOUT_MUTATIONS,
  ...RUNTIME_MUTATIONS,
];
