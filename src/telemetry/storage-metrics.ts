import { Counter, Gauge, Histogram, SIZES } from './recorder.js';

/** Members of etcd with series of their own. */
export const MAX_MEMBERS = 9;

/** The writes of shadows, which go to etcd in batches. */
export class CommitMetrics {
  readonly waitingChanges = new Gauge({
    name: 'umbra_shadow_queue_waiting',
    help: 'Changes that wait for an earlier one of their shadow.',
  });
  readonly waitedChanges = new Histogram({
    name: 'umbra_shadow_queue_wait_seconds',
    help: 'Time that a change waits for an earlier one of its shadow; one that does not wait is not counted.',
  });
  readonly queuedWrites = new Gauge({ name: 'umbra_commit_queue_writes', help: 'Writes that wait for a batch.' });
  readonly queuedBytes = new Gauge({
    name: 'umbra_commit_queue_bytes',
    help: 'Bytes of the writes that wait or are on their way to etcd.',
  });
  readonly wait = new Histogram({
    name: 'umbra_commit_wait_seconds',
    help: 'Time that a write waits for its batch.',
  });
  readonly duration = new Histogram({
    name: 'umbra_commit_duration_seconds',
    help: 'Time of a batch at etcd that was answered.',
  });
  readonly batch = new Histogram({ name: 'umbra_commit_batch_writes', help: 'Writes of a batch.' }, SIZES);
  readonly writes = new Counter({
    name: 'umbra_commit_writes',
    help: 'Writes by how they ended: lost ones and those whose exclusive lease has moved are computed again; refused ones were not applied.',
    labels: { result: ['won', 'lost', 'moved', 'unknown', 'refused'] },
  });
  readonly doubts = new Counter({
    name: 'umbra_commit_doubts',
    help: 'Writes without an answer that were found out about: by the watch, or by the ids that records keep.',
    labels: { settled: ['won', 'lost', 'unknown'], by: ['watch', 'write_id'] },
  });
  readonly retries = new Counter({
    name: 'umbra_commit_retries',
    help: 'Batches that were sent again.',
    labels: { reason: ['in_doubt', 'not_applied'] },
  });
  readonly splits = new Counter({
    name: 'umbra_commit_splits',
    help: 'Batches that were divided to find the write that etcd rejects.',
  });
  readonly results = {
    won: this.writes.bind('won'),
    lost: this.writes.bind('lost'),
    moved: this.writes.bind('moved'),
    unknown: this.writes.bind('unknown'),
    refused: this.writes.bind('refused'),
  };
  readonly retried = {
    'in-doubt': this.retries.bind('in_doubt'),
    'not-applied': this.retries.bind('not_applied'),
  };
  readonly wonByWatch = this.doubts.bind('won', 'watch');
  readonly byWriteId = {
    won: this.doubts.bind('won', 'write_id'),
    lost: this.doubts.bind('lost', 'write_id'),
    unknown: this.doubts.bind('unknown', 'write_id'),
  };
}

/** Reads of shadows, and the records that a node holds. */
export class ReadMetrics {
  readonly duration = new Histogram({
    name: 'umbra_read_duration_seconds',
    help: 'Time of a batch of linearizable reads, its tries at other members included.',
  });
  readonly batch = new Histogram({ name: 'umbra_read_batch_keys', help: 'Keys of a batch of reads.' }, SIZES);
  readonly cacheRecords = new Gauge({ name: 'umbra_cache_records', help: 'Records that the cache holds.' });
  readonly cacheBytes = new Gauge({
    name: 'umbra_cache_bytes',
    help: 'Bytes that the cache has for values outside of the heap.',
  });
  readonly lookups = new Counter({
    name: 'umbra_cache_lookups',
    help: 'Writes that looked for the record that they change.',
    labels: { result: ['hit', 'miss'] },
  });
  readonly hit = this.lookups.bind('hit');
  readonly miss = this.lookups.bind('miss');
}

export const CALL_RESULTS = [
  ...(['ok', 'in_doubt', 'not_applied', 'hung', 'storage_full', 'too_large'] as const),
  ...(['lease_gone', 'refused'] as const),
] as const;
export type CallResult = (typeof CALL_RESULTS)[number];

/** Calls to the members of etcd, and its space. */
export class EtcdMetrics {
  readonly duration = new Histogram({
    name: 'umbra_etcd_call_duration_seconds',
    help: 'Time of one call to one member; txn is what reads and writes of shadows are made of.',
    labels: { method: ['txn', 'other'] },
  });
  readonly calls = new Counter({
    name: 'umbra_etcd_calls',
    help: 'Calls to a member by how they ended.',
    labels: { member: MAX_MEMBERS, result: CALL_RESULTS },
  });
  readonly switches = new Counter({
    name: 'umbra_etcd_member_switches',
    help: 'Times that calls have left this member for the next one.',
    labels: { member: MAX_MEMBERS },
  });
  readonly used = new Gauge({
    name: 'umbra_etcd_used_bytes',
    help: 'Bytes in use of the database of a member that answers, looked at every 3 seconds.',
    labels: { member: MAX_MEMBERS },
  });
  readonly leader = new Gauge({
    name: 'umbra_etcd_member_leader',
    help: 'Whether a member that answers leads the cluster.',
    labels: { member: MAX_MEMBERS },
  });
  readonly quota = new Gauge({
    name: 'umbra_etcd_quota_bytes',
    help: 'Size from which this node rejects updates: UMBRA_ETCD_QUOTA_BYTES.',
  });
  readonly full = new Gauge({ name: 'umbra_etcd_full', help: 'Whether updates are rejected for lack of space.' });
  readonly durationOf = { txn: this.duration.bind('txn'), other: this.duration.bind('other') };
}

/** The recorders of a storage in etcd. */
export class StorageMetrics {
  readonly commit = new CommitMetrics();
  readonly reads = new ReadMetrics();
  readonly etcd = new EtcdMetrics();
}
