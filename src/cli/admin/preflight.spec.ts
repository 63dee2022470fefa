import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';
import { problem, scriptedService } from '../testing/service.js';

const DAY = 86_400;
const OK = { ok: true, since: '', reason: 'answers', failures: { count: 0, last: null } };
const STATUS = {
  ...{ node: 'n1', ready: true, version: '1', startedAt: '', nodes: ['n1', 'n2'] },
  parts: { etcd: OK },
  storage: { full: false, quotaBytes: 8, members: [member('e:1', true, 0.25), member('e:2', false, 0.5)] },
};
const NODES = { nodes: [node('n1'), node('n2')], mean: 1 };
const RUNTIME = {
  ...{ live: { version: 7, document: { logLevel: 'info' } }, staged: null, history: [] },
  nodes: [
    { node: 'n1', inForce: 7 },
    { node: 'n2', inForce: 7 },
  ],
};
const FIGURES = { ready: '2', feed_lag: '0.25', tls_not_after: String(30 * DAY) };

function member(member: string, leader: boolean, quotaShare: number) {
  return { member, leader, usedBytes: 1, quotaShare };
}
function node(node: string, more: object = {}) {
  return { node, software: '1', connections: 1, draining: false, shed: null, ...more };
}

let commands: Commands;
beforeEach(async () => {
  commands = new Commands();
  await commands.run('context set home --server http://umbra.test');
});
afterEach(() => commands.remove());

interface World {
  readonly status?: object;
  readonly nodes?: object;
  readonly runtime?: object;
  readonly figures?: Readonly<Record<string, string | null>>;
}

function preflight(more: string, { status = {}, nodes = {}, runtime = {}, figures = {} }: World = {}) {
  const service = scriptedService({
    'GET /health/status': { ...STATUS, ...status },
    'GET /v1/nodes': { ...NODES, ...nodes },
    'GET /v1/runtime': { ...RUNTIME, ...runtime },
  });
  const fetch: typeof service = Object.assign(
    (url: Parameters<typeof service>[0], init?: Parameters<typeof service>[1]) => {
      const { host, searchParams } = new URL(String(url));
      if (host !== 'prometheus.test') return service(url, init!);
      const [, value] = Object.entries({ ...FIGURES, ...figures }).find(([name]) =>
        searchParams.get('query')!.includes(`umbra_${name}`),
      )!;
      const result = value === null ? [] : [{ value: [0, value] }];
      return Promise.resolve(new Response(JSON.stringify({ status: 'success', data: { result } })));
    },
    service,
  );
  return commands.run(`ops preflight --json${more}`, { fetch });
}

const PROMETHEUS = ' --prometheus http://prometheus.test';

describe('ops preflight', () => {
  it('says each line with what was found and its limit', async () => {
    const { exit, json } = await preflight(PROMETHEUS);
    expect(exit).toBe(EXIT.done);
    expect(json).toContainEqual({ check: 'quota of etcd', state: 'ok', found: '50.0 %', limit: '75.0 % at most' });
    expect(json).toContainEqual({ check: 'lag of the feed', state: 'ok', found: '0.250 s', limit: '5 s at most' });
    expect(json).toContainEqual({ check: 'certificates', state: 'ok', found: '30.0 days', limit: '14 days at least' });
  });

  it('says of a log level that no document sets only where it comes from', async () => {
    const { json } = await preflight('', { runtime: { live: null, nodes: [{ node: 'n1', inForce: null }] } });
    expect(json).toContainEqual(
      expect.objectContaining({ check: 'log level', state: 'ok', found: 'as the environment of each node has it' }),
    );
  });

  it('skips what it has no source for, and says how to give one', async () => {
    const { exit, json } = await preflight('');
    expect(exit).toBe(EXIT.done);
    const skipped = (json as { state: string; check: string }[]).filter(({ state }) => state === 'skipped');
    expect(skipped.map(({ check }) => check)).toEqual([
      'nodes that are ready',
      'lag of the feed',
      'certificates',
      'secrets',
    ]);
  });

  it.each<[string, World, string?]>([
    ['parts of the node', { status: { parts: { etcd: { ...OK, ok: false } } } }],
    ['members of etcd', { status: { storage: { members: [member('e:1', false, 0)] } } }],
    ['members of etcd', { status: { parts: { etcd: { ...OK, members: [{ member: 'e:1', ok: true }, { member: 'e:2', ok: false }] } } } }], // prettier-ignore
    ['quota of etcd', { status: { storage: { members: [member('e:1', true, 0.76)] } } }],
    ['nodes', { nodes: { nodes: [node('n1')] } }],
    ['nodes', {}, ' --nodes 3'],
    ['drains', { nodes: { nodes: [node('n1'), node('n2', { draining: true })] } }],
    ['versions', { nodes: { nodes: [node('n1'), node('n2', { software: '2' })] } }],
    ['versions', { nodes: { nodes: [node('n1'), node('n2', { software: null })] } }],
    ['staged configuration', { runtime: { staged: { version: 8 } } }],
    ['live configuration', { runtime: { nodes: [{ node: 'n1', inForce: 6 }] } }],
    ['log level', { runtime: { live: { version: 7, document: { logLevel: 'debug' } } } }],
    ['nodes that are ready', { figures: { ready: '1' } }, PROMETHEUS],
    ['nodes that are ready', { figures: { ready: null } }, PROMETHEUS],
    ['lag of the feed', { figures: { feed_lag: '5.1' } }, PROMETHEUS],
    ['certificates', { figures: { tls_not_after: String(13 * DAY) } }, PROMETHEUS],
  ])('fails for %s alone (%#)', async (check, world, more = '') => {
    const { exit, stderr, json } = await preflight(more, world);
    const failed = (json as { state: string; check: string }[]).filter(({ state }) => state === 'failed');
    expect([exit, failed.map((line) => line.check)]).toEqual([EXIT.failed, [check]]);
    expect(stderr).toContain(`not ready for a change: ${check}`);
  });

  it('finds secrets in a tree, and none in a manifest that only names one', async () => {
    const tree = join(commands.home, 'tree');
    mkdirSync(join(tree, 'base'), { recursive: true });
    const write = (name: string, text: string) => writeFileSync(join(tree, name), text);
    write('base/pod.yaml', 'kind: Pod\nspec:\n  secretName: umbra-master-key\n');
    write('names.yaml', 'kind: Secret\nmetadata:\n  name: a\n---\nkind: ConfigMap\ndata:\n  a: b\n');
    expect((await preflight(` --tree ${tree}`)).exit).toBe(EXIT.done);
    write('base/secret.yaml', 'kind: Secret\nmetadata:\n  name: a\nstringData:\n  master.key: 00\n');
    write('tls.key', `-----BEGIN PRIVATE KEY-----\n${'MIGHAgEAMBMGByqG'.repeat(4)}\n`);
    const { exit, json } = await preflight(` --tree ${tree}`);
    expect(exit).toBe(EXIT.failed);
    expect(json.at(-1)).toMatchObject({ check: 'secrets', found: 'base/secret.yaml, tls.key' });
    expect((await preflight(` --tree ${tree}/none`)).exit).toBe(EXIT.usage);
    expect((await preflight(' --tree k8s')).exit).toBe(EXIT.done);
  });

  it('says that Prometheus has not answered, or not understood', async () => {
    const away = () => Promise.reject(new Error('connection refused'));
    const { exit, stderr } = await commands.run('ops preflight --prometheus http://prometheus.test', {
      fetch: ((url: string, init: object) =>
        String(url).startsWith('http://prometheus.test')
          ? away()
          : scriptedService({
              'GET /health/status': STATUS,
              'GET /v1/nodes': NODES,
              'GET /v1/runtime': RUNTIME,
            })(url, init)) as never,
    });
    expect([exit, stderr]).toEqual([EXIT.unreachable, expect.stringContaining('http://prometheus.test')]);
  });

  it('is refused as the service refuses it', async () => {
    const fetch = scriptedService({ 'GET /health/status': problem(403, 'not-allowed') });
    expect((await commands.run('ops preflight', { fetch })).exit).toBe(EXIT.notAllowed);
  });
});
