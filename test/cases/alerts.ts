/** A sample each minute, in promtool's notation. */
type Series = Readonly<Record<string, string>>;

/** When an alert fires, and when not. */
export interface AlertCase {
  readonly alert: string;
  readonly series: Series;
  /** The minute in which it fires, and before which it has not. */
  readonly fires: number;
  /** How many of it; 1 unless given. */
  readonly count?: number;
  /** The same within the limit: it never fires. */
  readonly quiet: Series;
}

const at = (name: string, more = ''): string => `${name}{job="umbra",instance="a"${more && `,${more}`}}`;
const requests = (outcome: string): string =>
  at('umbra_requests_total', `door="mqtt",operation="update",outcome="${outcome}"`);
const member = (name: string, instance: string, more = ''): string =>
  `${name}{job="etcd",instance="${instance}"${more && `,${more}`}}`;
/** A histogram of which `slow` a minute are between both bounds, and `fast` a minute below them. */
const histogram = (
  of: (name: string, more: string) => string,
  name: string,
  [low, high]: [string, string],
  fast: number,
  slow: number,
): Series => ({
  [of(`${name}_bucket`, `le="${low}"`)]: `0+${fast}x90`,
  [of(`${name}_bucket`, `le="${high}"`)]: `0+${fast + slow}x90`,
  [of(`${name}_bucket`, 'le="+Inf"')]: `0+${fast + slow}x90`,
});
const golden = (fast: number, slow: number): Series => ({
  ...histogram(
    (name, more) => at(name, `door="mqtt",operation="update",${more}`),
    'umbra_request_duration_seconds',
    ['2.048', '4.096'],
    fast,
    slow,
  ),
  // A stream of an hour is not slow.
  ...histogram(
    (name, more) => at(name, `door="http",operation="watch",${more}`),
    'umbra_request_duration_seconds',
    ['2.048', '8.192'],
    0,
    1000,
  ),
});
const lag = (fast: number, slow: number): Series =>
  histogram(at, 'umbra_feed_lag_seconds', ['4.096', '8.192'], fast, slow);
const ofEtcd = (name: string, bounds: [string, string], slow: number, more = ''): Series =>
  histogram((each, le) => member(each, 'e0', more ? `${more},${le}` : le), name, bounds, 100, slow);
const DAY = 86_400;
const WEEK_MINUTES = 7 * 24 * 60;
const GIB = 2 ** 30;

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: 'UmbraDown',
    series: { [at('up')]: '1x2 0x90' },
    fires: 5,
    quiet: { [at('up')]: '1x2 0x0 1x90' },
  },
  {
    alert: 'UmbraNotReady',
    series: {
      [at('umbra_ready', 'part="etcd"')]: '1x2 0x90',
      ...{ [at('umbra_ready', 'part="feed"')]: '1x2 0x90', [at('umbra_ready', 'part="draining"')]: '1x90' },
    },
    fires: 5,
    count: 2,
    quiet: {
      [at('umbra_ready', 'part="etcd"')]: '1x2 0x0 1x90',
      ...{ [at('umbra_ready', 'part="draining"')]: '1x3 0x90', [at('umbra_ready', 'part="mqtt"')]: '1x3 0x90' },
    },
  },
  {
    alert: 'UmbraLoopSaturated',
    series: { [at('umbra_event_loop_utilization_ratio')]: '0.91x90' },
    fires: 10,
    quiet: { [at('umbra_event_loop_utilization_ratio')]: '0.89x90' },
  },
  {
    alert: 'UmbraCertificateExpiresSoon',
    // The time of a test begins at the epoch.
    series: { [at('umbra_tls_not_after_seconds', 'use="mqtts"')]: `${14 * DAY + 90}x90` },
    fires: 2,
    quiet: { [at('umbra_tls_not_after_seconds', 'use="mqtts"')]: `${15 * DAY}x90` },
  },
  {
    alert: 'UmbraCertificateExpires',
    series: { [at('umbra_tls_not_after_seconds', 'use="mqtts"')]: `${3 * DAY + 90}x90` },
    fires: 2,
    quiet: { [at('umbra_tls_not_after_seconds', 'use="mqtts"')]: `${4 * DAY}x90` },
  },
  {
    alert: 'UmbraCertificateRejected',
    series: { [at('umbra_tls_reloads_total', 'use="mqtts",result="failed"')]: '0x2 1x90' },
    fires: 3,
    quiet: {
      [at('umbra_tls_reloads_total', 'use="mqtts",result="failed"')]: '1x90',
      [at('umbra_tls_reloads_total', 'use="mqtts",result="ok"')]: '0+1x90',
    },
  },
  {
    alert: 'UmbraRuntimeConfigRejected',
    series: {
      [at('umbra_runtime_config_rejected_total', 'state="live"')]: '0x4 1x90',
      // It began with a document that it cannot read.
      'umbra_runtime_config_rejected_total{job="umbra",instance="b",state="live"}': '_x2 1x90',
      'umbra_runtime_config_version{job="umbra",instance="b",state="live"}': '_x2 0x90',
      [at('umbra_runtime_config_version', 'state="live"')]: '4x90',
    },
    fires: 7,
    count: 2,
    quiet: {
      [at('umbra_runtime_config_rejected_total', 'state="staged"')]: '0+1x90',
      // One follows a minute after the other.
      [at('umbra_runtime_config_version', 'state="live"')]: '4x9 5x90',
      'umbra_runtime_config_version{job="umbra",instance="b",state="live"}': '4x10 5x90',
    },
  },
  {
    alert: 'UmbraExportFails',
    series: { [at('umbra_export_failures_total', 'signal="traces"')]: '0+1x90' },
    fires: 16,
    quiet: { [at('umbra_export_failures_total', 'signal="traces"')]: '0x5 1x90' },
  },
  { alert: 'UmbraGoldenLatency', series: golden(900, 20), fires: 6, quiet: golden(2_000, 10) },
  {
    alert: 'UmbraGoldenErrors',
    series: { [requests('ok')]: '0+980x90', [requests('internal')]: '0+20x90' },
    fires: 6,
    quiet: { [requests('ok')]: '0+995x90', [requests('internal')]: '0+5x90', [requests('too_many')]: '0+99x90' },
  },
  {
    alert: 'UmbraOutcomeUnknown',
    series: { [requests('unknown')]: '0 0+1x90' },
    fires: 12,
    quiet: { [requests('unknown')]: '5x90', [requests('unavailable')]: '0+9x90' },
  },
  {
    alert: 'UmbraCallersLimited',
    series: { [requests('ok')]: '0+90x90', [requests('too_many')]: '0+10x90' },
    fires: 16,
    quiet: { [requests('ok')]: '0+96x90', [requests('too_many')]: '0+4x90' },
  },
  {
    alert: 'UmbraLowTraffic',
    series: { [requests('ok')]: `0+600x${WEEK_MINUTES} ${600 * WEEK_MINUTES}+60x120` },
    // Its window of 30 minutes has less than a fifth from the 28th minute on; then it waits for 15.
    fires: WEEK_MINUTES + 43,
    quiet: { [requests('ok')]: `0+600x${WEEK_MINUTES} ${600 * WEEK_MINUTES}+150x120` },
  },
  { alert: 'UmbraFeedLag', series: lag(900, 20), fires: 2, quiet: lag(2_000, 10) },
  {
    alert: 'UmbraNodesDisagree',
    series: { [at('umbra_feed_revision')]: '5x5 5x90', 'umbra_feed_revision{job="umbra",instance="b"}': '5x5 6+1x90' },
    fires: 8,
    quiet: { [at('umbra_feed_revision')]: '5+1x90', 'umbra_feed_revision{job="umbra",instance="b"}': '6+1x90' },
  },
  {
    alert: 'UmbraMessagesDropped',
    series: {
      [at('umbra_mqtt_delivered_total', 'qos="1"')]: '0+998x90',
      [at('umbra_mqtt_dropped_total', 'reason="too_large"')]: '0+2x90',
    },
    fires: 11,
    quiet: {
      [at('umbra_mqtt_delivered_total', 'qos="1"')]: '0+998x90',
      [at('umbra_mqtt_dropped_total', 'reason="older"')]: '0+99x90',
      [at('umbra_mqtt_dropped_total', 'reason="session_full"')]: '0+99x90',
    },
  },
  {
    alert: 'UmbraConnectionsFell',
    series: { [at('umbra_mqtt_connections', 'version="5",transport="tcp"')]: '100x9 69x90' },
    fires: 11,
    quiet: {
      [at('umbra_mqtt_connections', 'version="5",transport="tcp"')]: '100x9 71x5 10x90',
      [at('umbra_mqtt_connections', 'version="5",transport="tls"')]: '0x14 61x90',
    },
  },
  {
    alert: 'UmbraSinkFails',
    series: { [at('umbra_sinks', 'ok="false"')]: '1x90' },
    fires: 10,
    quiet: { [at('umbra_sinks', 'ok="false"')]: '1x8 0x90', [at('umbra_sinks', 'ok="true"')]: '1x90' },
  },
  {
    alert: 'UmbraEtcdSpace',
    series: {
      [at('umbra_etcd_used_bytes', 'member="m"')]: `${0.76 * GIB}x90`,
      [at('umbra_etcd_quota_bytes')]: `${GIB}x90`,
    },
    fires: 5,
    quiet: {
      [at('umbra_etcd_used_bytes', 'member="m"')]: `${0.74 * GIB}x90`,
      [at('umbra_etcd_quota_bytes')]: `${GIB}x90`,
    },
  },
  {
    alert: 'UmbraEtcdSpaceCritical',
    series: {
      [at('umbra_etcd_used_bytes', 'member="m"')]: `${0.91 * GIB}x90`,
      [at('umbra_etcd_quota_bytes')]: `${GIB}x90`,
    },
    fires: 1,
    quiet: {
      [at('umbra_etcd_used_bytes', 'member="m"')]: `${0.89 * GIB}x90`,
      [at('umbra_etcd_quota_bytes')]: `${GIB}x90`,
    },
  },
  {
    alert: 'UmbraEtcdFillsUp',
    series: { [at('umbra_etcd_used_bytes', 'member="m"')]: '60+0.3x90', [at('umbra_etcd_quota_bytes')]: '100x90' },
    fires: 11,
    quiet: { [at('umbra_etcd_used_bytes', 'member="m"')]: '10+0.4x90', [at('umbra_etcd_quota_bytes')]: '100x90' },
  },
  {
    alert: 'UmbraEtcdFull',
    series: { [at('umbra_etcd_full')]: '0x2 1x90' },
    fires: 3,
    quiet: { [at('umbra_etcd_full')]: '0x90' },
  },
  {
    alert: 'EtcdMemberDown',
    series: { [member('up', 'e0')]: '1x2 0x90' },
    fires: 6,
    quiet: { [member('up', 'e0')]: '1x90' },
  },
  {
    alert: 'EtcdMembersInsufficient',
    series: { [member('up', 'e0')]: '1x90', [member('up', 'e1')]: '0x90', [member('up', 'e2')]: '1x2 0x90' },
    fires: 4,
    quiet: { [member('up', 'e0')]: '1x90', [member('up', 'e1')]: '0x90', [member('up', 'e2')]: '1x90' },
  },
  {
    alert: 'EtcdNoLeader',
    series: { [member('etcd_server_has_leader', 'e0')]: '1x2 0x90' },
    fires: 4,
    quiet: { [member('etcd_server_has_leader', 'e0')]: '1x90' },
  },
  {
    alert: 'EtcdLeaderChanges',
    series: { [member('etcd_server_leader_changes_seen_total', 'e0')]: '1x19 2+1x90' },
    fires: 28,
    quiet: { [member('etcd_server_leader_changes_seen_total', 'e0')]: '1x19 2x5 3x90' },
  },
  {
    alert: 'EtcdFsyncSlow',
    series: ofEtcd('etcd_disk_wal_fsync_duration_seconds', ['0.512', '1.024'], 10),
    fires: 11,
    quiet: ofEtcd('etcd_disk_wal_fsync_duration_seconds', ['0.256', '0.512'], 0),
  },
  {
    alert: 'EtcdFsyncVerySlow',
    series: ofEtcd('etcd_disk_wal_fsync_duration_seconds', ['1.024', '2.048'], 10),
    fires: 11,
    quiet: ofEtcd('etcd_disk_wal_fsync_duration_seconds', ['0.512', '1.024'], 0),
  },
  {
    alert: 'EtcdCommitSlow',
    series: ofEtcd('etcd_disk_backend_commit_duration_seconds', ['0.256', '0.512'], 10),
    fires: 11,
    quiet: ofEtcd('etcd_disk_backend_commit_duration_seconds', ['0.128', '0.256'], 0),
  },
  {
    alert: 'EtcdPeersSlow',
    series: ofEtcd('etcd_network_peer_round_trip_time_seconds', ['0.1024', '0.2048'], 100, 'To="e1"'),
    fires: 11,
    quiet: ofEtcd('etcd_network_peer_round_trip_time_seconds', ['0.1024', '0.2048'], 0, 'To="e1"'),
  },
  {
    alert: 'EtcdFragmented',
    series: {
      [member('etcd_mvcc_db_total_size_in_use_in_bytes', 'e0')]: `${0.4 * GIB}x90`,
      [member('etcd_mvcc_db_total_size_in_bytes', 'e0')]: `${GIB}x90`,
    },
    fires: 60,
    // Nobody minds it in a small file.
    quiet: {
      [member('etcd_mvcc_db_total_size_in_use_in_bytes', 'e0')]: '1000x90',
      [member('etcd_mvcc_db_total_size_in_bytes', 'e0')]: '90000000x90',
    },
  },
];
