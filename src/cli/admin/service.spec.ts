import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';
import { problem, scriptedService } from '../testing/service.js';

const RULES = {
  ...{ tenant: 'default', ttl: 900, gracePeriod: 0, forceRotate: false, refreshTtl: 2_592_000 },
  ...{ refreshIdle: 1_209_600, reuseGrace: 10, clockSkew: 30, binding: 'client' },
};

let commands: Commands;
beforeEach(async () => {
  commands = new Commands();
  await commands.run('context set home --server http://umbra.test --tenant acme');
});
afterEach(() => commands.remove());

describe('token-policy', () => {
  const yaml = 'ttl: 900s\ntenants:\n  acme: { force_rotate: true, binding: client+address }\n';

  it('is shown with its rules, and its file alone', async () => {
    const fetch = scriptedService({ 'GET /v1/token-policy': { ...RULES, yaml } });
    const { stdout } = await commands.run('token-policy get', { fetch });
    expect(stdout).toContain('ttl           900 s\n');
    expect((await commands.run('token-policy get --yaml', { fetch })).stdout).toBe(yaml);
    const none = scriptedService({ 'GET /v1/token-policy': { ...RULES, yaml: null } });
    expect((await commands.run('token-policy get --yaml', { fetch: none })).exit).toBe(EXIT.notFound);
  });

  it('lets no comment of its file command the terminal', async () => {
    const file = `# \x1b]0;title\x07\n${yaml}`;
    const fetch = scriptedService({ 'GET /v1/token-policy': { ...RULES, yaml: file } });
    const seen = async (line: string, terminal: boolean) =>
      (await commands.run(`token-policy get${line}`, { fetch, terminal })).stdout;
    expect(await seen(' --yaml', true)).toBe(`# \\u001b]0;title\\u0007\n${yaml}`);
    expect(await seen(' --yaml', false)).toBe(file);
    expect(await seen('', true)).toContain(`file          as follows\n# \\u001b]0;title\\u0007\nttl: 900s\n`);
  });

  it('is applied when it differs, and deleted', async () => {
    const fetch = scriptedService({
      'GET /v1/token-policy': { ...RULES, yaml: 'ttl: 1h\n' },
      'PUT /v1/token-policy': { ...RULES, yaml },
      'DELETE /v1/token-policy': [204, null],
    });
    const changes = async (stdin: string, more = '') =>
      (await commands.run(`token-policy apply - --json${more}`, { stdin, fetch })).json;
    expect(await changes('ttl: 1h\n')).toMatchObject([{ change: 'unchanged', ttl: 900 }]);
    expect(await changes(yaml, ' --dry-run')).toMatchObject([{ change: 'replaced', dryRun: true }]);
    expect(fetch.asked).toEqual([['GET /v1/token-policy'], ['GET /v1/token-policy']]);
    expect(await changes(yaml)).toMatchObject([{ change: 'replaced', dryRun: false }]);
    expect([fetch.asked.at(-1), fetch.sent.at(-1)!.headers['if-match']]).toEqual([
      ['PUT /v1/token-policy', yaml],
      '"7"',
    ]);
    expect((await commands.run('token-policy delete', { fetch })).exit).toBe(EXIT.usage);
    expect((await commands.run('token-policy delete --yes', { fetch })).exit).toBe(EXIT.done);
  });

  it.each([
    ['', '<stdin>:1:1: a token policy is a map of rules'],
    ['grace_period: 1s', '<stdin>:1:1: ttl is missing'],
    ['ttl: 3600', '<stdin>:1:6: ttl must be a whole number with a unit'],
    ['ttl: 1h\nttls: 2h', '<stdin>:2:1: ttls is not known; the keys are ttl,'],
    ['ttl: 1h\nforce_rotate: yes', '<stdin>:2:15: force_rotate must be true or false'],
    ['ttl: 1h\ntenants: [acme]', '<stdin>:2:10: tenants must be a map'],
    ['ttl: 1h\ntenants:\n  acme: 1h', '<stdin>:3:9: tenants.acme must be a map of rules'],
    ['ttl: 1h\ntenants:\n  acme:\n    ttl: 1', '<stdin>:4:10: ttl must be a whole number'],
    ['ttl: 1h\ntoString: 1h', '<stdin>:2:1: toString is not known'],
    ['ttl: {', '<stdin>:1:'],
    ['ttl: 1h\nttl: 2h', '<stdin>:2:1: '],
    [`ttl: ${'['.repeat(60_000)}`, '<stdin>:1:'],
    [`ttl: 1h\n#${'x'.repeat(70_000)}`, '<stdin>:1:1: a token policy has 65536 bytes at most'],
  ])('%#: is refused with its place before anything is sent', async (stdin, message) => {
    const { exit, stderr } = await commands.run('token-policy apply -', { stdin });
    expect([exit, stderr]).toEqual([EXIT.usage, expect.stringContaining(message)]);
  });

  it('is refused with the place that the service has found', async () => {
    const errors = [{ parameter: '1:6', message: 'ttl must be from 60s to 86400s' }];
    const fetch = scriptedService({
      'GET /v1/token-policy': { ...RULES, yaml: null },
      'PUT /v1/token-policy': problem(400, 'invalid-request', { errors }),
    });
    expect(await commands.run('token-policy apply -', { stdin: 'ttl: 1s', fetch })).toMatchObject({
      ...{ exit: EXIT.failed, stderr: 'umbra: <stdin>:1:6: ttl must be from 60s to 86400s\n' },
    });
  });
});

describe('route-list', () => {
  const LISTS = {
    listeners: { https: { allow: ['* /things/**'], deny: ['GET /docs/**'] }, '*': { allow: null, deny: [] } },
  };
  const stdin = '{"listeners": {"https": {"deny": ["GET /docs/**"]}}}';

  it('is listed, printed, applied and deleted', async () => {
    const fetch = scriptedService({
      'GET /v1/route-lists': LISTS,
      'PUT /v1/route-lists': LISTS,
      'DELETE /v1/route-lists': [204, null],
    });
    expect(
      (await commands.run('route-list list', { fetch })).stdout.split('\n').map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['LISTENER', 'DOES', 'PATTERN'],
      ['https', 'allow', '* /things/**'],
      ['https', 'deny', 'GET /docs/**'],
      ['*', 'allow', 'everything'],
      [''],
    ]);
    const printed = (await commands.run('route-list get', { fetch })).stdout;
    expect(JSON.parse(printed)).toEqual(LISTS);
    const same = await commands.run('route-list apply - --json', { fetch, stdin: printed });
    expect(same.json).toEqual([{ change: 'unchanged', dryRun: false }]);
    const dry = await commands.run('route-list apply - --dry-run', { fetch, stdin });
    expect(dry.stdout).toContain('the route lists would be replaced');
    expect(fetch.sent.every(({ method }) => method === 'GET')).toBe(true);
    await commands.run('route-list apply -', { fetch, stdin });
    expect([fetch.asked.at(-1), fetch.sent.at(-1)!.headers['if-match']]).toEqual([
      ['PUT /v1/route-lists', { listeners: { https: { allow: null, deny: ['GET /docs/**'] } } }],
      '"7"',
    ]);
    expect((await commands.run('route-list delete --yes --json', { fetch })).json).toEqual([{ deleted: true }]);
    expect((await commands.run('route-list list --json', { fetch })).json).toHaveLength(2);
  });

  it.each([
    ['[]', '<stdin>:1:1: listeners must be an object'],
    ['{"listener": {}}', '<stdin>:1:14: there is no member listener'],
    ['{"listeners": {"ftp": {}}}', '<stdin>:1:23: there is no listener ftp'],
    ['{"listeners": {"http": []}}', '<stdin>:1:24: the lists of a listener'],
    ['{"listeners": {"http": {"alow": []}}}', '<stdin>:1:33: there is no member alow'],
    ['{"listeners": {"http": {"deny": "x"}}}', '<stdin>:1:33: deny must be a list'],
    ['{"listeners": {"http": {"deny": [\n"GET x"]}}}', '<stdin>:2:1: a pattern is a method'],
    ['{"listeners": {,}}', '<stdin>:1:16: '],
  ])('%s is refused with its place before anything is sent', async (text, message) => {
    const { exit, stderr } = await commands.run('route-list apply -', { stdin: text });
    expect([exit, stderr]).toEqual([EXIT.usage, expect.stringContaining(message)]);
  });

  it('takes stdin for one thing', async () => {
    const ended = await commands.run('route-list apply - --key-file -', { stdin });
    expect(ended).toMatchObject({ exit: EXIT.usage, stderr: 'umbra: stdin cannot be both the key and the file\n' });
  });
});

describe('ops config', () => {
  const taken = (version: number) => ({ version, accepted: true, fault: null });
  const version = (number: number, more: object = {}) => ({
    ...{ version: number, document: { logLevel: 'debug' }, stagedBy: 'ada', stagedAt: '', restores: null },
    ...{ promotedBy: 'bob', promotedAt: '2026-11-29T00:00:00.000Z', ...more },
  });
  const node = (name: string, more: object = {}) => ({
    ...{ node: name, software: '1', inForce: 6, staged: taken(7), live: taken(6), ...more },
  });
  const [live, staged] = [version(6), version(7, { document: { flags: { bulk: false } }, promotedBy: null })];
  const pending = { live, staged, nodes: [node('n1'), node('n2')], history: [live] };
  const promoted = { ...pending, live: { ...staged, promotedBy: 'ada' }, staged: null };

  it('is shown with what each node follows', async () => {
    const fetch = scriptedService({ 'GET /v1/runtime': pending });
    const { stdout } = await commands.run('ops config get', { fetch });
    expect(stdout).toContain(
      'version 6, live, promoted by bob\n{\n  "logLevel": "debug"\n}\nversion 7, staged by ada\n',
    );
    expect(stdout).toContain('node n1: follows version 6\n');
    const none = scriptedService({
      'GET /v1/runtime': {
        ...pending,
        live: null,
        staged: null,
        nodes: [node('n1', { inForce: null, software: null })],
      },
    });
    expect((await commands.run('ops config get', { fetch: none })).stdout).toBe(
      'nothing is live: the nodes follow their environment\nnothing is staged\n' +
        'node n1: follows its environment; says nothing of its runtime configuration\n',
    );
  });

  it('is staged in the place of the state that was seen, and says who does not take it', async () => {
    const routes = { 'GET /v1/runtime': pending, 'PUT /v1/runtime/staged': pending };
    const fetch = scriptedService(routes);
    const stdin = '{"flags": {"bulk": false}}';
    const ended = await commands.run('ops config stage -', { fetch, stdin });
    expect([ended.exit, ended.stdout]).toEqual([EXIT.done, expect.stringContaining('version 7 is staged; umbra ops')]);
    expect(ended.stdout).toContain('-   "logLevel": "debug"\n');
    expect([fetch.asked.at(-1), fetch.sent.at(-1)!.headers['if-match']]).toEqual([
      ['PUT /v1/runtime/staged', { flags: { bulk: false } }],
      '"7"',
    ]);
    const fault = { version: 7, accepted: false, fault: 'flags.bulk is unknown; remove it' };
    const nodes = [node('n1'), node('n2', { staged: fault }), node('n3', { staged: taken(5) })];
    const refusing = scriptedService({ ...routes, 'PUT /v1/runtime/staged': { ...pending, nodes } });
    const refused = await commands.run('ops config stage -', { fetch: refusing, stdin });
    expect([refused.exit, refused.stderr]).toEqual([EXIT.failed, 'umbra: not taken by n2, n3; nothing has changed\n']);
    expect(refused.stdout).toContain(
      'node n2: follows version 6; refuses version 7: flags.bulk is unknown; remove it\n',
    );
    expect(refused.stdout).toContain('node n3: follows version 6; has not seen version 7 yet\n');
  });

  it('is promoted and rolled back', async () => {
    const nodes = ['n1', 'n2'].map((name) => node(name, { inForce: 7, live: taken(7) }));
    const restored = { ...promoted, live: { ...promoted.live, restores: 5 }, nodes: [nodes[0]!, node('n2')] };
    const fetch = scriptedService({
      'GET /v1/runtime': pending,
      'POST /v1/runtime/promote': { ...promoted, nodes },
      'POST /v1/runtime/rollback': restored,
    });
    const { stdout } = await commands.run('ops config promote', { fetch });
    expect(stdout).toBe('version 7 is live; 2 of 2 nodes follow it\n');
    expect(fetch.sent.at(-1)!.headers['if-match']).toBe('"7"');
    expect((await commands.run('ops config rollback 5', { fetch })).stdout).toBe(
      'node n1: follows version 7\nnode n2: follows version 6; has not seen version 7 yet\n' +
        'version 7, the document of version 5, is live; 1 of 2 nodes follow it\n',
    );
    expect(fetch.asked.at(-1)).toEqual(['POST /v1/runtime/rollback', { version: 5 }]);
    await commands.run('ops config rollback', { fetch });
    expect(fetch.asked.at(-1)).toEqual(['POST /v1/runtime/rollback', {}]);
    expect((await commands.run('ops config rollback x', { fetch })).exit).toBe(EXIT.usage);
  });

  it('ends with the reason of the node that is in the way', async () => {
    const detail = 'A condition of the request does not hold: node n2 refuses it';
    const fetch = scriptedService({
      'GET /v1/runtime': pending,
      'POST /v1/runtime/promote': problem(412, 'precondition-failed', { detail }),
    });
    const { exit, stderr } = await commands.run('ops config promote', { fetch });
    expect([exit, stderr]).toEqual([EXIT.conflict, expect.stringContaining('node n2 refuses it')]);
  });

  it('lists what was live', async () => {
    const history = [version(6, { restores: 4 }), version(5)];
    const fetch = scriptedService({ 'GET /v1/runtime': { ...pending, history } });
    const rows = (await commands.run('ops config history', { fetch })).stdout.split('\n');
    expect(rows.map((line) => line.split(/ {2,}/))).toEqual([
      ['VERSION', 'PROMOTED', 'BY', 'DOCUMENT'],
      ['6', '2026-11-29T00:00:00.000Z', 'bob', '{"logLevel":"debug"} (that of version 4)'],
      ['5', '2026-11-29T00:00:00.000Z', 'bob', '{"logLevel":"debug"}'],
      [''],
    ]);
  });
});

describe('ops status', () => {
  const since = '2026-11-29T00:00:00.000Z';
  const part = (ok: boolean, failures: object = { count: 0, last: null }) => ({ ok, since, reason: 'so', failures });
  const last = { at: since, reason: 'etcd does not answer', seconds: null };
  const found = (ready: boolean) => ({
    ...{ node: 'n1', ready, version: '1', startedAt: since, nodes: ready ? ['n1', 'n2'] : null },
    parts: { draining: part(true), etcd: part(ready, { count: 3, last }) },
    storage: { quotaBytes: 8, full: false, members: [{ member: 'e:1', leader: true, usedBytes: 6, quotaShare: 0.75 }] },
  });

  it('shows parts with their failures, members of etcd, and nodes', async () => {
    const fetch = scriptedService({ 'GET /health/status': found(true) });
    const { exit, stdout } = await commands.run('ops status', { fetch });
    expect([exit, stdout.split('\n')]).toEqual([
      EXIT.done,
      [
        `node n1, version 1, since ${since}`,
        `ready  draining: so, since ${since}`,
        `ready  etcd: so, since ${since}`,
        `       failed 3 times, the last time at ${since}: etcd does not answer`,
        'etcd   e:1: 75.0 % of the quota, leads',
        'nodes: n1, n2',
        '',
      ],
    ]);
  });

  it('fails where the node is not ready', async () => {
    const fetch = scriptedService({ 'GET /health/status': found(false) });
    const { exit, stdout, stderr } = await commands.run('ops status', { fetch });
    expect([exit, stderr]).toEqual([EXIT.failed, 'umbra: node n1 is not ready\n']);
    expect(stdout).toContain(`NOT READY  etcd: so, since ${since}\n`);
    expect(stdout).toContain('nodes: not known\n');
  });
});

describe('ops rebalance', () => {
  const node = (name: string, connections: number | null, more: object = {}) => ({
    ...{ node: name, software: connections === null ? null : '1', connections, draining: false, shed: null },
    ...more,
  });
  /** Answers with the next of these each time that it is asked for the nodes, and then with the last. */
  const service = (...looks: ReturnType<typeof node>[][]) => {
    const shed = { connections: 1, node: {} };
    return scriptedService({
      'GET /v1/nodes': () => {
        const nodes = looks.length > 1 ? looks.shift()! : looks[0]!;
        const known = nodes.filter(({ connections, draining }) => connections !== null && !draining);
        const mean = known.reduce((sum, { connections }) => sum + connections!, 0) / known.length;
        return { nodes, mean };
      },
      ...{ 'POST /v1/nodes/n1/shed': shed, 'POST /v1/nodes/n2/shed': shed },
    });
  };
  const orders = (fetch: ReturnType<typeof service>) => fetch.asked.filter(([route]) => route.startsWith('POST'));
  const shedding = { shed: { connections: 200, closed: 7, done: false } };
  const done = { shed: { connections: 200, closed: 200, done: true } };

  it('asks those above the mean, and again until all are near it', async () => {
    const fetch = service(
      [node('n1', 400), node('n2', 0), node('n3', 9, { draining: true })],
      [node('n1', 380, shedding), node('n2', 10)],
      [node('n1', 200, done), node('n2', 20)],
      [node('n1', 270, done), node('n2', 130)],
      [node('n1', 210, done), node('n2', 190)],
    );
    const { exit, stdout } = await commands.run('ops rebalance --spread 10s', { fetch });
    expect(orders(fetch)).toEqual([
      ['POST /v1/nodes/n1/shed', { spreadMs: 10_000 }],
      ['POST /v1/nodes/n1/shed', { spreadMs: 10_000 }],
    ]);
    expect([exit, stdout.split('\n')[1]?.split(/ {2,}/)]).toEqual([0, ['n1', '1', '210', 'has shed 200 of 200']]);
  });

  it('changes nothing where all are even, or with --dry-run', async () => {
    const even = service([node('n1', 10), node('n2', 10)]);
    expect((await commands.run('ops rebalance', { fetch: even })).exit).toBe(EXIT.done);
    const uneven = service([node('n1', 10), node('n2', 1)]);
    const { stdout } = await commands.run('ops rebalance --dry-run', { fetch: uneven });
    expect(stdout.split('\n')[1]?.split(/ {2,}/)).toEqual(['n1', '10', '4']);
    expect([...orders(even), ...orders(uneven)]).toEqual([]);
  });

  it('fails when the nodes stay uneven, and when a node does not say how many it has', async () => {
    const uneven = service([node('n1', 400), node('n2', 0)]);
    const { exit, stderr } = await commands.run('ops rebalance --rounds 2 --within 10', { fetch: uneven });
    expect([exit, stderr]).toEqual([EXIT.failed, 'umbra: not within 10 % of the mean; run it again\n']);
    expect(orders(uneven)).toHaveLength(2);
    const silent = service([node('n1', 5), node('old', null)]);
    expect((await commands.run('ops rebalance', { fetch: silent })).stderr).toContain('how many connections old has');
    expect((await commands.run('ops rebalance --within 0', { fetch: silent })).exit).toBe(EXIT.usage);
  });
});
