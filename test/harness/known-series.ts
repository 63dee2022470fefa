import { Metrics } from '../../src/telemetry/metrics.js';
import { suffixOf } from '../../src/telemetry/openmetrics.js';
import type { Family, LabelValues } from '../../src/telemetry/recorder.js';
import { rulesOf, type RuleFile } from './prometheus-rules.js';

type Labels = Readonly<Record<string, LabelValues>>;

/** As many values as there may be. */
const ANY = 1_000;
/** What Prometheus adds to every series of a target. */
const TARGET: Labels = { job: ANY, instance: ANY };

/** Series that Prometheus makes: of its scrapes, and by our rules. */
const OF_PROMETHEUS: Readonly<Record<string, Labels>> = {
  up: TARGET,
  ALERTS: { ...TARGET, alertname: ANY, alertstate: ['pending', 'firing'], severity: ['page', 'ticket'] },
};

/** What rules and dashboards ask of the members of etcd. */
export const OF_ETCD: Readonly<Record<string, Labels>> = {
  etcd_server_has_leader: {},
  etcd_server_leader_changes_seen_total: {},
  etcd_server_proposals_pending: {},
  etcd_server_proposals_failed_total: {},
  etcd_disk_wal_fsync_duration_seconds_bucket: { le: ANY },
  etcd_disk_backend_commit_duration_seconds_bucket: { le: ANY },
  // Of a cluster of one it has no series.
  etcd_network_peer_round_trip_time_seconds_bucket: { To: ANY, le: ANY },
  etcd_mvcc_db_total_size_in_bytes: {},
  etcd_mvcc_db_total_size_in_use_in_bytes: {},
  etcd_server_quota_backend_bytes: {},
  etcd_debugging_mvcc_slow_watcher_total: {},
};

function seriesOf({ name, type, labels = {} }: Family): [string, Labels][] {
  const of = { ...labels, ...TARGET };
  if (type !== 'histogram') return [[`${name}${suffixOf(type)}`, of]];
  return [
    [`${name}_bucket`, { ...of, le: ANY }],
    [`${name}_count`, of],
    [`${name}_sum`, of],
  ];
}

/** What the rules record; by installation and objective. */
export const recordedSeries = (files: ReadonlyMap<string, RuleFile>): Readonly<Record<string, Labels>> =>
  Object.fromEntries(
    [...files.values()].flatMap(rulesOf).flatMap(({ record }) => (record ? [[record, { job: ANY, slo: ANY }]] : [])),
  );

/** Every series that an expression may name, with its labels and their values: those of docs/metrics.md first. */
export function knownSeries(recorded: Readonly<Record<string, Labels>>): ReadonlyMap<string, Labels> {
  const ofEtcd = Object.entries(OF_ETCD).map(([name, labels]) => [name, { ...labels, ...TARGET }] as const);
  return new Map([
    ...new Metrics().families().flatMap(seriesOf),
    ...ofEtcd,
    ...Object.entries(OF_PROMETHEUS),
    ...Object.entries(recorded),
  ]);
}

/** Words of the language; every other one is a series. */
const WORDS = new Set(
  (
    'abs absent and avg avg_over_time bool by changes clamp_min count floor histogram_quantile increase ignoring group_left group_right ' +
    'label_replace max max_over_time min min_over_time offset on or predict_linear quantile rate resets sum ' +
    'sum_over_time time topk unless vector without'
  ).split(' '),
);
const SELECTOR = /([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?/g;
const MATCHER = /(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g;
const GROUPING = /\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)/g;

/** What is wrong with the names in an expression: series, labels and values of labels that nobody makes. */
export function wrongNamesOf(expr: string, known: ReadonlyMap<string, Labels>): string[] {
  const groupings = [...expr.matchAll(GROUPING)].flatMap(([, labels]) => labels!.split(',').map((each) => each.trim()));
  // Durations, offsets and numbers name nothing.
  const rest = expr.replaceAll(GROUPING, ' ').replaceAll(/\[[^\]]*\]|\boffset \w+|\b[\d.]+(?:e\d+)?\b/g, ' ');
  const named = [...rest.matchAll(SELECTOR)].filter(
    ([, name, matchers]) => matchers !== undefined || !WORDS.has(name!),
  );
  const wrong = named.flatMap(([, name, matchers]) => wrongIn(name!, matchers ?? '', known));
  const labels = new Set(named.flatMap(([, name]) => Object.keys(known.get(name!) ?? {})));
  return [...wrong, ...groupings.filter((label) => label !== '' && !labels.has(label)).map((each) => `by ${each}`)];
}

function wrongIn(name: string, matchers: string, known: ReadonlyMap<string, Labels>): string[] {
  const labels = known.get(name);
  if (labels === undefined) return [name];
  return [...matchers.matchAll(MATCHER)].flatMap(([, label, operator, text]) => {
    const values = labels[label!];
    if (values === undefined) return [`${name}{${label}}`];
    if (typeof values === 'number' || text!.startsWith('$')) return [];
    const asked = operator!.includes('~') ? text!.split('|') : [text!];
    return asked.filter((value) => !values.includes(value)).map((value) => `${name}{${label}="${value}"}`);
  });
}
