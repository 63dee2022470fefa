import { Counter, Gauge, Histogram } from './recorder.js';

/** The feed of changes from etcd, and the readers of it. */
export class FeedMetrics {
  readonly revision = new Gauge({
    name: 'umbra_feed_revision',
    help: 'Revision up to which the node has applied all changes; nodes of one etcd have about the same.',
  });
  readonly lag = new Histogram({
    name: 'umbra_feed_lag_seconds',
    help: 'Time from the answer of etcd to an own batch until the feed brings its revision; 0 where the feed was first.',
  });
  readonly stages = new Histogram({
    name: 'umbra_feed_stage_seconds',
    help: 'Time that a revision takes in the node: its records are decoded, MQTT clients are told of it (publish), and streams get it (deliver).',
    labels: { stage: ['decode', 'publish', 'deliver'] },
  });
  readonly events = new Counter({ name: 'umbra_feed_events', help: 'Changes that the feed has brought.' });
  readonly restarts = new Counter({
    name: 'umbra_feed_restarts',
    help: 'Times that the watch on a member was lost, or could not be opened; the next member is tried.',
    labels: { reason: ['lost', 'failed'] },
  });
  readonly gaps = new Counter({
    name: 'umbra_feed_gaps',
    help: 'Times that changes were missed for good: etcd no longer had them, or was restored from a backup.',
    labels: { reason: ['compacted', 'epoch-changed'] },
  });
  readonly streams = new Gauge({
    name: 'umbra_watch_streams',
    help: 'Readers of changes: watch streams of all doors, and others of the node.',
  });
  readonly ended = new Counter({
    name: 'umbra_watch_ended',
    help: 'Readers of changes by why they ended.',
    labels: { reason: ['closed', 'too-slow', 'compacted', 'epoch-changed', 'draining', 'failed'] },
  });
  readonly catchUps = new Counter({
    name: 'umbra_watch_catch_ups',
    help: 'Readers that began with a cursor, by where the changes after it were found first.',
    labels: { from: ['ring', 'store'] },
  });
  readonly queuedBytes = new Gauge({
    name: 'umbra_watch_queued_bytes',
    help: 'Bytes of changes that wait for all readers together, estimated.',
  });
  readonly historyRecords = new Gauge({
    name: 'umbra_hub_history_records',
    help: 'Changes that are held for readers that resume.',
  });
  readonly stageOf = {
    decode: this.stages.bind('decode'),
    publish: this.stages.bind('publish'),
    deliver: this.stages.bind('deliver'),
  };
  readonly restarted = { lost: this.restarts.bind('lost'), failed: this.restarts.bind('failed') };
  readonly missed = { compacted: this.gaps.bind('compacted'), 'epoch-changed': this.gaps.bind('epoch-changed') };
  readonly endedBy = {
    closed: this.ended.bind('closed'),
    'too-slow': this.ended.bind('too-slow'),
    compacted: this.ended.bind('compacted'),
    'epoch-changed': this.ended.bind('epoch-changed'),
    draining: this.ended.bind('draining'),
    failed: this.ended.bind('failed'),
  };
  readonly caughtUp = { ring: this.catchUps.bind('ring'), store: this.catchUps.bind('store') };
}
