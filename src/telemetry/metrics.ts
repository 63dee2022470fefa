import { AccessMetrics, BrokerMetrics, ClusterMetrics, PresenceMetrics } from './access-metrics.js';
import { FeedMetrics } from './feed-metrics.js';
import { MqttMetrics } from './mqtt-metrics.js';
import { NodeMetrics } from './node-metrics.js';
import { Counter, Gauge, Histogram, type Family } from './recorder.js';
import { RequestMetrics } from './request-metrics.js';
import { StorageMetrics } from './storage-metrics.js';
import { TraceMetrics } from './trace-metrics.js';

/** Injection token of the Metrics. */
export const METRICS = Symbol('Metrics');

/**
 * All recorders of a node, by what they are about. Parts of the node record into them, whether or not somebody reads
 * them. docs/metrics.md is written from them.
 */
export class Metrics {
  readonly requests = new RequestMetrics();
  readonly storage = new StorageMetrics();
  readonly feed = new FeedMetrics();
  readonly mqtt = new MqttMetrics();
  readonly presence = new PresenceMetrics();
  readonly broker = new BrokerMetrics();
  readonly cluster = new ClusterMetrics();
  readonly access = new AccessMetrics();
  readonly traces = new TraceMetrics();
  readonly node = new NodeMetrics();

  /** Every family by the heading that it has in docs/metrics.md. */
  groups(): Readonly<Record<string, readonly Family[]>> {
    return {
      Requests: familiesOf(this.requests),
      'Writes to etcd': familiesOf(this.storage.commit),
      'Feed and streams': familiesOf(this.feed),
      MQTT: familiesOf(this.mqtt),
      'External broker, presence and cluster': familiesOf({ ...this.broker, ...this.presence, ...this.cluster }),
      'Reads and cache': familiesOf(this.storage.reads),
      'Calls to etcd': familiesOf(this.storage.etcd),
      'Access, breakers and sinks': familiesOf(this.access),
      Traces: familiesOf(this.traces),
      'Node and process': familiesOf(this.node),
    };
  }

  families(): Family[] {
    return Object.values(this.groups()).flat();
  }
}

/** Those that are members of a group, in their order. */
function familiesOf(group: object): Family[] {
  return Object.values(group)
    .flat()
    .filter((member) => member instanceof Counter || member instanceof Gauge || member instanceof Histogram);
}
