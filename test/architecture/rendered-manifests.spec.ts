import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { renderChart, valuesWith, wrongValues, CHART, type Values } from '../harness/chart/chart.js';
import {
  containersOf,
  hasKustomize,
  kustomize,
  manifestsBelow,
  OVERLAYS,
  podOf,
  schemaErrors,
  typeErrors,
  type Manifest,
} from '../harness/manifests.js';
import { CHART_RULES, RULE_MANIFEST, ruleGroups, ruleManifest } from '../harness/rule-manifests.js';
import { loadConfig } from '../../src/config/load-config.js';

const yaml = (path: string): unknown => parse(readFileSync(path, 'utf8'));
const valuesOf = (file: string | null): Values => (file === null ? {} : (yaml(`${CHART}/${file}`) as Values));
const nameOf = ({ kind, metadata: { name } }: Manifest) => `${kind} ${name}`;
const byName = (all: readonly Manifest[], name: string) => all.find((each) => nameOf(each) === name) as Manifest;

const EXTERNAL_ETCD = {
  etcd: {
    enabled: false,
    endpoints: ['https://etcd-0:2379', 'https://etcd-1:2379'],
    tlsSecret: 'etcd-tls',
    user: 'umbra',
    passwordSecret: 'etcd-password',
  },
  env: { UMBRA_MQTT_MAX_CONNECTIONS: '20000' },
  httpNames: ['shadows.example.com'],
};

const charts = Object.entries(OVERLAYS).map(
  ([overlay, file]) => [overlay, renderChart(valuesOf(file)) as Manifest[]] as const,
);
const external = renderChart(EXTERNAL_ETCD) as Manifest[];
const overlays = hasKustomize
  ? Object.keys(OVERLAYS).map((overlay) => [overlay, kustomize(`overlays/${overlay}`)] as const)
  : [];
const files = ['base', 'components', 'restore'].flatMap((folder) =>
  manifestsBelow(folder).map(({ manifest }) => manifest),
);
const rendered = [
  ...charts.map(([overlay, all]) => [`chart, ${overlay}`, all] as const),
  ['chart, an etcd that is there', external] as const,
  ...overlays.map(([overlay, all]) => [`Kustomize, ${overlay}`, all] as const),
];

/** Each of them once: the most of a rendering is as in the others. */
const distinct = [
  ...new Map([...files, ...rendered.flatMap(([, all]) => all)].map((each) => [JSON.stringify(each), each])).values(),
];

describe('manifests', () => {
  it('have values that the schemas allow', () => {
    const wrong = schemaErrors(distinct);
    expect(
      distinct.flatMap((manifest, at) => (wrong[at] === null ? [] : [`${nameOf(manifest)}: ${wrong[at]}`])),
    ).toEqual([]);
  });

  it('have no member that Kubernetes does not know', () => {
    const deployment = byName(distinct, 'Deployment umbra');
    const wrong = { ...deployment, spec: { ...deployment.spec, replicaz: 2 } };
    expect(typeErrors([...distinct, wrong])).toEqual([expect.stringContaining('replicaz')]);
  });

  it('would be found wrong', () => {
    const [, prod] = charts[1]!;
    const [deployment, monitor] = ['Deployment umbra', 'PodMonitor umbra'].map((name) => byName(prod, name)) as [
      Manifest,
      Manifest,
    ];
    const changed = [
      { ...deployment, spec: { ...deployment.spec, replicas: 'two' } },
      { ...monitor, spec: { ...monitor.spec, podMetricsEndpoints: [{ port: 3 }] } },
    ];
    expect(schemaErrors(changed)).toEqual([expect.stringContaining('replicas'), expect.stringContaining('port')]);
  });
});

describe.each(rendered)('%s', (_, all) => {
  it('has no object twice', () => {
    expect(new Set(all.map(nameOf)).size).toBe(all.length);
  });

  it('gives the nodes a configuration that they take', () => {
    const [node] = podOf(byName(all, 'Deployment umbra'))!.spec.containers;
    const env = Object.fromEntries((node?.env ?? []).map(({ name, value }) => [name, value ?? 'from-the-pod']));
    // Files that are in the cluster alone.
    for (const name of ['PASSWORD_FILE', 'CA', 'CERT', 'KEY']) delete env[`UMBRA_ETCD_${name}`];
    if (env['UMBRA_ETCD_USER'] !== undefined) env['UMBRA_ETCD_PASSWORD'] = 'of-the-file';
    expect(loadConfig(env).etcd.endpoints.length).toBeGreaterThan(0);
  });

  it('runs every container without rights, and within limits', () => {
    const pods = all.flatMap((manifest) => podOf(manifest) ?? []);
    for (const { spec } of pods) {
      expect(spec).toMatchObject({ securityContext: { runAsNonRoot: true }, automountServiceAccountToken: false });
      for (const container of containersOf(spec)) expect(container).toMatchObject(WITHOUT_RIGHTS);
    }
  });
});

const WITHOUT_RIGHTS = {
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  },
  resources: { limits: { memory: expect.any(String) as unknown } },
};

(hasKustomize ? describe : describe.skip)('Kustomize (kubectl 1.21 or later) and the chart', () => {
  // Helm makes the namespace itself, and tells the cluster which one instead of writing it into each object. Variables
  // are a set: an overlay moves those that it changes.
  const plain = (manifests: readonly Manifest[]) =>
    Object.fromEntries(
      manifests
        .filter(({ kind }) => kind !== 'Namespace')
        .map((manifest) => {
          const metadata: Record<string, unknown> = { ...manifest.metadata };
          delete metadata['namespace'];
          const text = JSON.stringify({ ...manifest, metadata }, (member, value: unknown) =>
            member === 'env' ? (value as { name: string }[]).toSorted((a, b) => (a.name < b.name ? -1 : 1)) : value,
          );
          return [nameOf(manifest), JSON.parse(text) as unknown];
        }),
    );

  it.each(charts)('say the same: %s', (overlay, chart) => {
    expect(plain(chart)).toEqual(plain(new Map(overlays).get(overlay)!));
  });

  it('restore with the volumes of the members and the backups', () => {
    expect(kustomize('restore').length).toBeGreaterThan(0);
  });
});

describe('the chart', () => {
  it('uses an etcd that is there, with the password in a file', () => {
    expect(external.map(nameOf)).not.toContain('StatefulSet umbra-etcd');
    expect(external.map(({ kind }) => kind)).not.toContain('CronJob');
    const [node] = podOf(byName(external, 'Deployment umbra'))!.spec.containers;
    expect(node?.env).toEqual(
      expect.arrayContaining([
        { name: 'UMBRA_ETCD_PASSWORD_FILE', value: '/etc/umbra-etcd-password/password' },
        { name: 'UMBRA_MQTT_MAX_CONNECTIONS', value: '20000' },
      ]),
    );
  });

  it.each<[string, Values, RegExp]>([
    ['an unknown name', { replicaz: 3 }, /additional properties/],
    ['a number where a text belongs', { env: { UMBRA_HTTP_PORT: 8081 } }, /UMBRA_HTTP_PORT must be string/],
    ['two members', { etcd: { members: 2 } }, /members must be equal to one of/],
    ['both kinds of a budget', { podDisruptionBudget: { nodes: { maxUnavailable: 1 } } }, /NOT have more than 1/],
    ['no etcd at all', { etcd: { enabled: false } }, /etcd\.endpoints is empty/],
    ['a user without a password', { etcd: { user: 'umbra' } }, /etcd\.passwordSecret is empty/],
  ])('refuses %s', (_, values, says) => {
    expect(() => renderChart(values)).toThrow(says);
  });

  it('knows its own values', () => {
    expect(wrongValues(valuesWith({}))).toEqual([]);
  });

  it('is of the version of the service', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(yaml(`${CHART}/Chart.yaml`)).toMatchObject({ version, appVersion: version });
  });
});

describe('the rules for the Prometheus operator', () => {
  it.each([
    [RULE_MANIFEST, ruleManifest()],
    [CHART_RULES, ruleGroups()],
  ])('are those of k8s/observability/rules; else `npm run k8s:rules`: %s', (path, expected) => {
    expect(yaml(path)).toEqual(expected);
  });
});
