import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { connectAsync, type MqttClient } from 'mqtt';
import {
  CERTIFICATES,
  FEED_LAG,
  nodesByVersion,
  p99,
  READY_NODES,
  readyNodes,
  sideQueries,
} from '../../src/cli/admin/queries.js';
import { VERSION } from '../../src/telemetry/version.js';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { asked, readDashboards } from '../harness/dashboards.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { OF_ETCD } from '../harness/known-series.js';
import { startMosquitto, type MosquittoBroker } from '../harness/mosquitto.js';
import { startEtcdNode, type OpenNode } from '../harness/open-node.js';
import { OtlpReceiver } from '../harness/otlp-receiver.js';
import { freePort } from '../harness/ports.js';
import { changedRules, readRules, rulesOf } from '../harness/prometheus-rules.js';
import { hasPrometheus, Prometheus, shortDuration, shortened } from '../harness/prometheus.js';
import { until } from '../harness/until.js';

/** What has no data here, and why. */
const WITHOUT_DATA: readonly [names: RegExp, reason: string][] = [
  [/etcd_network_peer_round_trip_time_seconds/, 'an etcd of one member has no peer'],
  [
    /umbra_(?:auth|breakers|sink|runtime_config)/,
    'a node that asks nobody for credentials has no access, sinks of tenants or runtime configuration',
  ],
];

const RULES = [...readRules().values()];
/** Comparisons say 0 or 1 in the place of leaving series out; those behind `unless` would then leave out everything. */
const always = (expr: string): string => {
  const [asked = '', ...except] = expr.split(' unless ');
  const parts = asked.split(/(\{[^}]*\})/);
  const shown = parts.map((part) =>
    part.startsWith('{') ? part : part.replaceAll(/(==|<=|>=|<|>)(?! bool)/g, '$1 bool'),
  );
  return [shown.join(''), ...except].join(' unless ');
};
/** What commands ask. A node that fails no request has no figure of them. */
const { requests, age, p99: p99OfSide } = sideQueries({ job: 'umbra', version: VERSION, isRest: false }, '5m');
const COMMANDS = [
  ...[READY_NODES, FEED_LAG, CERTIFICATES, p99('umbra', '5m'), readyNodes('umbra'), nodesByVersion('umbra')],
  ...[requests, age, p99OfSide],
];
const ASKED = [
  ...RULES.flatMap(rulesOf).map((rule) => [rule.alert ?? rule.record!, shortened(rule.expr)] as const),
  ...[...readDashboards()].flatMap(([file, { panels }]) =>
    panels.flatMap(({ title, targets }) =>
      targets.map(
        ({ expr }) => [`${file}: ${title}`, asked(shortened(expr.replaceAll('$__rate_interval', '5m')), '3s')] as const,
      ),
    ),
  ),
  ...COMMANDS.map((expr) => [`umbra ops: ${expr}`, shortened(expr)] as const),
];

/** The report of a month; plain JavaScript, which has no types. */
const REPORT = '../../src/launcher/report.mjs';

interface Told {
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
}

(hasPrometheus ? describe : describe.skip)(
  'a real Prometheus (apt-get install prometheus prometheus-alertmanager)',
  () => {
    let etcd: EtcdServer;
    let broker: MosquittoBroker;
    let authority: Authority;
    let traces: OtlpReceiver;
    let node: OpenNode;
    let device: MqttClient;
    let webhook: Server;
    let prometheus: Prometheus;
    let load: NodeJS.Timeout;
    /** What Alertmanager has told, the last word on each alert. */
    const told = new Map<string, string>();

    beforeAll(async () => {
      [etcd, broker, authority, traces] = await Promise.all([
        startEtcd(),
        startMosquitto(),
        createAuthority(),
        OtlpReceiver.start(),
      ]);
      node = await startEtcdNode(etcd.endpoint, {
        ...{
          UMBRA_METRICS_PORT: '0',
          UMBRA_GRPC_PORT: String(await freePort()),
          UMBRA_REQUEST_TIMEOUT_MS: '1000',
          UMBRA_ETCD_CALL_TIMEOUT_MS: '500',
        },
        ...{ UMBRA_TLS_CERT: authority.server.cert, UMBRA_TLS_KEY: authority.server.key },
        ...{ UMBRA_HTTPS_PORT: String(await freePort()), UMBRA_MQTTS_PORT: String(await freePort()) },
        ...{ UMBRA_BROKER_URL: broker.url, UMBRA_TRACE_ENDPOINT: traces.url, UMBRA_TRACE_RULES: '10000' },
      });
      webhook = createServer((request, response) => {
        void text(request).then((body) => {
          for (const { status, labels } of (JSON.parse(body) as Told).alerts)
            told.set(`${labels['alertname']} ${labels['slo'] ?? labels['part'] ?? ''}`.trim(), status);
          response.end();
        });
      }).listen(0, '127.0.0.1');
      await once(webhook, 'listening');
      const { port } = webhook.address() as AddressInfo;
      const short = (rule: Parameters<Parameters<typeof changedRules>[1]>[0]) => ({
        ...rule,
        expr: shortened(rule.expr),
        ...(rule.for !== undefined && { for: shortDuration(rule.for) }),
      });
      prometheus = await Prometheus.start({
        targets: { umbra: new URL(node.metricsUrl!).host, etcd: new URL(etcd.endpoint).host },
        rules: RULES.map((file) => changedRules(file, short)),
        receiver: `http://127.0.0.1:${port}`,
      });
      device = await connectAsync(node.mqttUrl, { protocolVersion: 5 });
      await device.subscribeAsync('$aws/things/lamp/shadow/update/accepted', { qos: 1 });
      device.on('error', () => undefined);
      let count = 0;
      load = setInterval(() => {
        const body = `{"state":{"reported":{"count":${count++}}}}`;
        device.publishAsync('$aws/things/lamp/shadow/update', body, { qos: 1 }).catch(() => undefined);
        fetch(`${node.url}/things/lamp/shadow`)
          .then((answer) => answer.text())
          .catch(() => undefined);
      }, 50);
    });
    afterAll(async () => {
      clearInterval(load);
      await device?.endAsync(true);
      await prometheus.stop();
      await node.stop();
      webhook.closeAllConnections();
      webhook.close();
      await Promise.all([etcd.stop(), broker.stop(), traces.stop(), authority.remove()]);
    });

    it('gets data for every rule and panel, without an error of a scrape', async () => {
      const { ROWS } = (await import(REPORT)) as { ROWS: readonly (readonly [string, string])[] };
      const all = [...ASKED, ...ROWS.map(([title, expr]) => [title, expr.replaceAll('WINDOW', '5s')] as const)];
      const wanted = all.filter(([, expr]) => !WITHOUT_DATA.some(([names]) => names.test(expr)));
      let missing: readonly (readonly [string, string])[] = wanted;
      await until(
        () => JSON.stringify(missing, null, 1),
        async () => {
          const found = await Promise.all(
            missing.map(async ([, expr]) => (await prometheus.query(always(expr))).length),
          );
          missing = missing.filter((_, at) => found[at] === 0);
          return missing.length === 0;
        },
      );
      // On a busy machine one look may take longer than it may; what cannot be read fails at every look.
      await until('looks without an error', async () => (await prometheus.scrapeErrors()).join() === ',');
      // What is said above to have none has none.
      const rest = ASKED.filter(([, expr]) => WITHOUT_DATA.some(([names]) => names.test(expr)));
      const found = await Promise.all(rest.map(async ([, expr]) => (await prometheus.query(always(expr))).length));
      expect(rest.filter((_, at) => found[at]! > 0)).toEqual([]);
      for (const [names] of WITHOUT_DATA) expect(ASKED.some(([, expr]) => names.test(expr))).toBe(true);
    });

    it('finds at etcd what rules and panels ask of it', async () => {
      const page = await (await fetch(`${etcd.endpoint}/metrics`)).text();
      const absent = Object.keys(OF_ETCD).filter((name) => !page.includes(`\n${name}`));
      expect(absent).toEqual(['etcd_network_peer_round_trip_time_seconds_bucket']);
    });

    it('has exemplars that name traces which a receiver has', async () => {
      const traceIds = await until('exemplars', async () => {
        const all = await prometheus.exemplars('umbra_request_duration_seconds_bucket');
        return all.length > 0 && all.map(({ trace_id: id }) => id);
      });
      const sent = () => Buffer.concat(traces.bodies).toString('hex');
      await until('their spans', () => traceIds.some((id) => sent().includes(id!)));
    });

    it('tells when etcd is away, and when it is back', async () => {
      const alerts = ['UmbraNotReady etcd', 'UmbraBudgetBurnsFast availability', 'EtcdMemberDown'];
      await etcd.kill9();
      await until(
        () => `alerts: ${JSON.stringify([...told])}`,
        () => alerts.every((each) => told.get(each) === 'firing'),
      );
      await etcd.restart();
      await until(
        () => `ends: ${JSON.stringify([...told])}`,
        () => alerts.every((each) => told.get(each) === 'resolved'),
      );
    });
  },
);
