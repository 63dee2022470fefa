import { ERROR_TABLE, type ErrorRow } from '../errors/error-table.js';
import { Counter, Gauge } from './recorder.js';

const CODES = Object.values<ErrorRow>(ERROR_TABLE).flatMap(({ code }) => code ?? []);
const OTHER = 'other';

/** The external broker, where one is configured. */
export class BrokerMetrics {
  readonly connected = new Gauge({
    name: 'umbra_broker_connected',
    help: 'Whether this node is connected to the external broker.',
  });
  readonly lanes = new Gauge({ name: 'umbra_broker_lanes_owned', help: 'Lanes of requests that this node consumes.' });
  readonly shards = new Gauge({
    name: 'umbra_broker_shards_owned',
    help: 'Shards of changes that this node publishes at the external broker.',
  });
  readonly inFlight = new Gauge({
    name: 'umbra_broker_in_flight',
    help: 'Changes on their way from this node to the external broker.',
  });
  readonly takeovers = new Counter({
    name: 'umbra_broker_takeovers',
    help: 'Lanes and shards that this node has taken over.',
  });
  readonly revisionsBehind = new Gauge({
    name: 'umbra_broker_sink_lag_revisions',
    help: 'Revisions by which what this node publishes at the external broker is behind.',
  });
}

/** Work that is divided among nodes. */
const SHARED_WORK = ['broker', 'sinks', 'presence'] as const;

/** The nodes as they see each other. */
export class ClusterMetrics {
  readonly instances = new Gauge({
    name: 'umbra_cluster_instances',
    help: 'Nodes that this node last saw to take part in work that is divided: the external broker, sinks, presence.',
    labels: { work: SHARED_WORK },
  });
  readonly #seen = new Map<(typeof SHARED_WORK)[number], number>();

  /** @param instances that live */
  saw(work: (typeof SHARED_WORK)[number], instances: number): void {
    this.#seen.set(work, instances);
    this.instances.read ??= () => [...this.#seen].map(([name, count]) => [[name], count] as const);
  }
}

/** Which clients are connected, as the nodes of a cluster tell each other. */
export class PresenceMetrics {
  readonly clients = new Gauge({
    name: 'umbra_presence_clients',
    help: 'Clients that are remembered, connected or not, on any node.',
  });
  readonly unwritten = new Gauge({
    name: 'umbra_presence_unwritten',
    help: 'Clients of this node whose coming or going is not in etcd yet.',
  });
}

/** What was refused, and what the node depends on besides etcd. */
export class AccessMetrics {
  readonly refusals = new Counter({
    name: 'umbra_auth_refusals',
    help: 'Refusals by identity, policies or limits, by their code (security.md); those without one are other.',
    labels: { code: [...CODES, OTHER] },
  });
  readonly breakers = new Gauge({
    name: 'umbra_breakers',
    help: 'Dependencies of this node, such as issuers and servers of sinks, by the state of their breakers.',
    labels: { state: ['closed', 'half-open', 'open'] },
  });
  readonly transitions = new Counter({
    name: 'umbra_breaker_transitions',
    help: 'Changes of the state of breakers.',
    labels: { to: ['closed', 'half-open', 'open'] },
  });
  readonly sinks = new Gauge({
    name: 'umbra_sinks',
    help: 'Sinks of tenants that are open on this node, by whether they work.',
    labels: { ok: ['true', 'false'] },
  });
  readonly sinkInFlight = new Gauge({
    name: 'umbra_sink_in_flight',
    help: 'Changes on their way to sinks from this node.',
  });
  readonly sinkRevisionsBehind = new Gauge({
    name: 'umbra_sink_lag_revisions',
    help: 'Revisions by which the sink that is furthest behind on this node is behind.',
  });
  readonly sinkSecondsBehind = new Gauge({
    name: 'umbra_sink_lag_seconds',
    help: 'Age of the oldest change that a sink of this node has not confirmed.',
  });
  readonly #cells = new Map<string, number>();
  readonly becomes = {
    closed: this.transitions.bind('closed'),
    'half-open': this.transitions.bind('half-open'),
    open: this.transitions.bind('open'),
  };

  /** @param code `AUTH_nnn`, or a row of the error table */
  refused(code: string | null): void {
    const known = code !== null && CODES.includes(code as (typeof CODES)[number]) ? code : OTHER;
    let cell = this.#cells.get(known);
    if (cell === undefined) this.#cells.set(known, (cell = this.refusals.bind(known)));
    this.refusals.add(cell);
  }
}
