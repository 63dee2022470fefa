/**
 * What the commands ask Prometheus. Nodes of one installation are one job; only names that
 * `label` of the options takes may come into these expressions. test/architecture/release-queries.spec.ts has Prometheus parse and compute them.
 */

/** Requests that the service has failed, as the objective of availability counts them. */
const FAILED = 'outcome=~"unavailable|unknown|internal|storage_full"';
/** Watch streams last as long as their clients like. */
const ANSWERED = 'operation!="watch"';

/** A quantile of a histogram over all series of it. No errors. */
const quantile = (share: number, rates: string): string => `histogram_quantile(${share}, sum by (le) (${rates}))`;

/** Nodes all of whose parts are ready. */
export const READY_NODES = 'count(min by (instance) (umbra_ready) == 1)';
/** Seconds from a commit to the subscribers, p99. */
export const FEED_LAG = quantile(0.99, 'rate(umbra_feed_lag_seconds_bucket[5m])');
/** Seconds until the first certificate of a door ends. */
export const CERTIFICATES = 'min(umbra_tls_not_after_seconds) - time()';

/** Seconds from a request to its answer, p99. No errors. */
export const p99 = (job: string, window: string): string =>
  quantile(0.99, `rate(umbra_request_duration_seconds_bucket{job="${job}", ${ANSWERED}}[${window}])`);

/** Each node by its labels `node` and `version`: 1 if all of its parts are ready, else 0. No errors. */
export const readyNodes = (job: string): string =>
  `umbra_build_info{job="${job}"} * on (job, instance) group_left () (min by (job, instance) (umbra_ready{job="${job}"}))`;

/** Nodes of each version. No errors. */
export const nodesByVersion = (job: string): string => `count by (version) (umbra_build_info{job="${job}"})`;

/** Some nodes of an installation: those of a version, or all others. */
export interface Side {
  readonly job: string;
  readonly version: string;
  readonly isRest: boolean;
}

/** Series with the version of their node; those of other nodes are left out. */
const of = (rates: string, { job, version, isRest }: Side): string =>
  `${rates} * on (job, instance) group_left (version) umbra_build_info{job="${job}", version${isRest ? '!=' : '='}"${version}"}`;

/** What a side tells, over a window. No errors. */
export const sideQueries = (side: Side, window: string) =>
  ({
    requests: `sum(${of(`increase(umbra_requests_total{job="${side.job}"}[${window}])`, side)})`,
    failed: `sum(${of(`increase(umbra_requests_total{job="${side.job}", ${FAILED}}[${window}])`, side)})`,
    p99: quantile(
      0.99,
      of(`rate(umbra_request_duration_seconds_bucket{job="${side.job}", ${ANSWERED}}[${window}])`, side),
    ),
    /** Seconds since the latest start of a node of it. */
    age: `time() - max(${of(`process_start_time_seconds{job="${side.job}"}`, side)})`,
  }) as const;
