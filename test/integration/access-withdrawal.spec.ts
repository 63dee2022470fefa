import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand, type CommandRun } from '../harness/command.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';

let node: SecureNode;
/** The key of a device that nothing is taken away from. */
let lamp: string;
const shadow = (thing: string, tail: string): string => `$aws/things/${thing}/shadow/${tail}`;

beforeAll(async () => {
  node = await startSecureNode();
  lamp = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
});
afterAll(() => node.stop());

describe('withdrawal', () => {
  it.each([
    ['its key is deleted', (id: string) => deleteKeys(id)],
    ['it is deleted', (id: string) => node.ask('DELETE', `/v1/principals/${id}`, node.admin)],
    ['it is disabled', (id: string) => replace(id, { disabled: true })],
    ['it loses its role', (id: string) => replace(id, { roles: [] })],
  ])('ends connection, stream and requests of a principal when %s', async (what, withdraw) => {
    const id = `gone-${what.replaceAll(' ', '-')}`;
    const key = await node.make(id, { kind: 'service', roles: ['service'] });
    const client = await node.connect(id, key);
    const reasons: (number | undefined)[] = [];
    client.on('disconnect', ({ reasonCode }) => void reasons.push(reasonCode));
    const stream = await fetch(`${node.url}/v1/watch`, { headers: { authorization: `Bearer ${key}` } });
    const text = stream.text();
    await withdraw(id);
    await until('the end of the connection', () => !client.connected);
    expect(reasons).toEqual([0x87]);
    expect(await text).toMatch(/event: end\ndata: \{"reason":"forbidden"/);
    expect([401, 403]).toContain((await node.ask('GET', '/v1/things', key)).status);
  });

  it('ends a subscription that policies no longer allow, and leaves the connection', async () => {
    const statement = (topics: string[]): object => ({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: 'iot:Connect', Resource: '*' },
        { Effect: 'Allow', Action: ['iot:Subscribe', 'iot:Receive'], Resource: topics },
      ],
    });
    const arn = (kind: string, thing: string): string => `arn:aws:iot:*:*:${kind}/$aws/things/${thing}/shadow/*`;
    const topics = (thing: string): string[] => [arn('topicfilter', thing), arn('topic', thing)];
    const made = await node.ask('PUT', '/v1/policies/topics', node.admin, statement([...topics('a'), ...topics('b')]));
    const key = await node.make('reader', { kind: 'service', policies: ['topics'] });
    const client = await node.connect('reader', key);
    const heard: string[] = [];
    client.on('message', (topic) => void heard.push(topic));
    await client.subscribeAsync([shadow('a', 'update/accepted'), shadow('b', 'update/accepted')]);
    const update = (thing: string) =>
      node.ask('POST', `/things/${thing}/shadow`, node.admin, { state: { reported: { n: 1 } } });
    await Promise.all([update('a'), update('b')]);
    await until('both', () => heard.length === 2);
    const match = { 'if-match': made.headers.get('etag')! };
    expect((await node.ask('PUT', '/v1/policies/topics', node.admin, statement(topics('b')), match)).status).toBe(200);
    await update('a');
    await update('b');
    await until('the allowed one', () => heard.filter((topic) => topic.includes('/b/')).length === 2);
    expect(heard.filter((topic) => topic.includes('/a/'))).toHaveLength(1);
    expect(client.connected).toBe(true);
    await client.endAsync();
  });

  it('ends a connection whose device has become another thing', async () => {
    const policy = { Effect: 'Allow', Action: 'iot:Connect', Resource: 'arn:aws:iot:*:*:client/moved' };
    await node.ask('PUT', '/v1/policies/moved', node.admin, { Version: '2012-10-17', Statement: [policy] });
    const members = { roles: ['device'], policies: ['moved'] };
    const client = await node.connect('moved', await node.make('moved', { ...members, thing: 'before' }));
    await client.publishAsync(shadow('before', 'update'), '{"state":{"reported":{"a":1}}}', { qos: 1 });
    await replace('moved', { ...members, kind: 'device', thing: 'after' });
    await until('the end of the connection', () => !client.connected);
  });

  it('delivers nothing that was kept for a client and is not allowed any more', async () => {
    const statement = (...things: string[]): object => ({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: ['iot:Connect', 'iot:Subscribe'], Resource: '*' },
        {
          Effect: 'Allow',
          Action: 'iot:Receive',
          Resource: things.map((thing) => `arn:aws:iot:*:*:topic/$aws/things/${thing}/shadow/*`),
        },
      ],
    });
    const made = await node.ask('PUT', '/v1/policies/kept', node.admin, statement('kept-a', 'kept-b'));
    const key = await node.make('keeper', { kind: 'service', policies: ['kept'] });
    const session = { clean: false, properties: { sessionExpiryInterval: 100 } };
    const away = await node.connect('keeper', key, session);
    const topics = ['kept-a', 'kept-b'].map((thing) => shadow(thing, 'update/accepted'));
    await away.subscribeAsync(topics, { qos: 1 });
    await away.endAsync();
    for (const thing of ['kept-a', 'kept-b'])
      await node.ask('POST', `/things/${thing}/shadow`, node.admin, { state: { reported: { n: 1 } } });
    const match = { 'if-match': made.headers.get('etag')! };
    await node.ask('PUT', '/v1/policies/kept', node.admin, statement('kept-b'), match);
    const { client: back, heard } = node.resume('keeper', key, session);
    await until('the allowed one', () => heard.includes(topics[1]!));
    expect(heard).toEqual([topics[1]]);
    await back.endAsync();
  });

  it('asks again for each message where a policy asks for the time', async () => {
    const until_ = new Date(node.clock.now() + 60_000).toISOString();
    const Statement = [
      { Effect: 'Allow', Action: 'iot:*', Resource: '*' },
      {
        Effect: 'Deny',
        Action: 'iot:Publish',
        Resource: '*',
        Condition: { DateGreaterThan: { 'aws:CurrentTime': until_ } },
      },
    ];
    await node.ask('PUT', '/v1/policies/timed', node.admin, { Version: '2012-10-17', Statement });
    const client = await node.connect('timed', await node.make('timed', { kind: 'service', policies: ['timed'] }));
    const publish = () => client.publishAsync(shadow('timed', 'update'), '{"state":{"reported":{"a":1}}}', { qos: 1 });
    await publish();
    node.clock.advance(61_000);
    await expect(publish()).rejects.toMatchObject({ code: 0x87 });
    await client.endAsync();
  });

  it('ends everybody of a disabled tenant, and nobody else', async () => {
    await node.ask('PUT', '/v1/tenants/short', node.admin, {});
    const key = await node.make('lamp', { thing: 'lamp', roles: ['device'] }, 'short');
    const [gone, stays] = [await node.connect('lamp', key), await node.connect('lamp', lamp)];
    const { headers } = await node.ask('GET', '/v1/tenants/short', node.admin);
    await node.ask('PUT', '/v1/tenants/short', node.admin, { disabled: true }, { 'if-match': headers.get('etag')! });
    await until('the end', () => !gone.connected);
    expect(stays.connected).toBe(true);
    expect((await node.ask('GET', '/things/lamp/shadow', key)).status).toBe(403);
    await stays.endAsync();
  });

  it('ends a connection and a stream soon after their keys have expired', async () => {
    await node.ask('PUT', '/v1/principals/brief', node.admin, { thing: 'brief', roles: ['device'] });
    await node.ask('PUT', '/v1/principals/watcher', node.admin, { kind: 'service', roles: ['service'] });
    const { body } = await node.ask('POST', '/v1/principals/brief/keys', node.admin, { expiresIn: 60 });
    const client = await node.connect('brief', body.key as string);
    const watcher = await node.ask('POST', '/v1/principals/watcher/keys', node.admin, { expiresIn: 60 });
    const stream = await fetch(`${node.url}/v1/watch`, {
      headers: { authorization: `Bearer ${watcher.body.key as string}` },
    });
    node.clock.advance(61_000);
    expect((await node.ask('GET', '/things/brief/shadow', body.key as string)).body.message).toMatch(/expired/);
    await until('the end', () => !client.connected, 20_000);
    expect(await stream.text()).toContain('{"reason":"forbidden"');
  });
});

async function deleteKeys(id: string): Promise<void> {
  const { body } = await node.ask('GET', `/v1/principals/${id}/keys`, node.admin);
  for (const key of body.keys as { id: string }[])
    await node.ask('DELETE', `/v1/principals/${id}/keys/${key.id}`, node.admin);
}

async function replace(id: string, members: object): Promise<void> {
  const { headers } = await node.ask('GET', `/v1/principals/${id}`, node.admin);
  const match = { 'if-match': headers.get('etag')! };
  const { status } = await node.ask('PUT', `/v1/principals/${id}`, node.admin, { kind: 'service', ...members }, match);
  expect(status).toBe(200);
}

describe('the program umbra', () => {
  const config = mkdtempSync(join(tmpdir(), 'umbra-command-'));
  const runs: CommandRun[] = [];
  let proxy: TcpProxy;
  const file = (name: string, text: string): string => {
    writeFileSync(join(config, name), text);
    return join(config, name);
  };

  async function umbra(line: string, given?: Parameters<typeof runCommand>[2]): Promise<CommandRun> {
    const ended = await runCommand(line.split(' '), config, given);
    runs.push(ended);
    return ended;
  }
  const codes = async (...commands: string[]): Promise<(number | null)[]> => {
    const exits: (number | null)[] = [];
    for (const line of commands) exits.push((await umbra(line)).exit);
    return exits;
  };
  const shown = async (line: string): Promise<unknown> => JSON.parse((await umbra(`${line} --json`)).stdout);

  beforeAll(async () => {
    proxy = await TcpProxy.start(Number(new URL(node.url).port));
    const keys = {
      service: await node.make('command', { kind: 'service', roles: ['service'] }),
      viewer: await node.make('command-viewer', { kind: 'person', roles: ['viewer'] }),
      chief: await node.make('command-chief', { kind: 'person', roles: ['tenant-admin'] }),
    };
    for (const [name, key] of Object.entries(keys)) file(`${name}.key`, key);
    // At once: none of them loses what another one keeps.
    const set = ([name, key]: [string, string]) =>
      umbra(`context set ${name} --server ${node.url} --key-file -`, { stdin: key });
    await Promise.all(Object.entries(keys).map(set));
    await umbra('context use service');
  });
  afterAll(async () => {
    await proxy.stop();
    rmSync(config, { recursive: true });
    for (const { stdout, stderr, visible } of runs) expect(stdout + stderr + visible).not.toMatch(/umk_/);
  });

  it('administers policies, and follows the audit over a cut connection', async () => {
    const chief = '--context chief';
    const document = (...Action: string[]): string =>
      JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource: '*' }] }, null, 2);
    const read = file('cli.json', document('iot:GetThingShadow'));
    const address = `--server ${proxy.endpoint} --key-file ${join(config, 'chief.key')}`;
    const begin = new Date(node.clock.now()).toISOString();
    let isCut = false;
    const heard = (): void => void (isCut || ((isCut = true), proxy.cutAll()));
    const target = '--target /v1/policies/cli';
    const tail = umbra(`audit tail --json ${target} --since ${begin} ${address}`, { interrupt: 'rollback', heard });
    expect(await codes(`policy apply ${read} ${chief}`)).toEqual([0]);
    await until('the cut of the tail', () => isCut);
    file('cli.json', document('iot:GetThingShadow', 'iot:DeleteThingShadow'));
    expect(await shown(`policy diff ${read} ${chief}`)).toMatchObject({
      ...{ version: 1, differences: [{ path: '/Statement/0/Action/1', after: 'iot:DeleteThingShadow' }] },
    });
    expect(await shown(`policy apply ${read} ${chief}`)).toMatchObject({ change: 'replaced', version: 2 });
    await node.make('cli-reader', { kind: 'service', policies: ['cli'] });
    const question = `policy explain cli-reader iot:DeleteThingShadow thing/lamp ${chief}`;
    expect(await shown(question)).toMatchObject({ allowed: true, policy: 'cli', statement: 0 });
    expect(await shown(`policy rollback cli ${chief}`)).toMatchObject({ version: 1 });
    expect(await shown(question)).toMatchObject({ allowed: false, effect: 'none' });
    const { exit, stdout } = await tail;
    const events = stdout.split('\n').filter(Boolean);
    const actions = events.map((each) => (JSON.parse(each) as { action: string }).action);
    expect([exit, actions]).toEqual([130, ['policy:update', 'policy:update', 'policy:rollback']]);
    expect(proxy.connections).toBeGreaterThan(1);
  });

  it('refuses what it cannot translate, and tells by 1 and 4 what the service refused', async () => {
    const aws = { policyName: 'Lamp', policyDocument: '{"Version":"2012-10-17","Statement":[]}' };
    const wrong = await umbra(`policy import ${file('aws.json', JSON.stringify(aws))} --context chief`);
    expect([wrong.exit, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('aws.json:1:82: Statement: must not be empty'),
    ]);
    const held = await umbra('policy delete cli --yes --context chief --json');
    expect([held.exit, JSON.parse(held.stderr)]).toMatchObject([1, { error: { code: 'invalid-request', exit: 1 } }]);
    expect(await codes('policy rollback cli --to 2 --context viewer', 'audit tail --context service')).toEqual([4, 4]);
  });

  it('ends with 8 when an answer was lost, unless sending it again is safe', async () => {
    const by = (key: string) => `--server ${proxy.endpoint} --key-file ${join(config, key)}`;
    proxy.set('lose-responses');
    const again = umbra(`patch cli-8 power=on --json ${by('service.key')}`);
    const isThere = async () => (await node.ask('GET', '/things/cli-8/shadow', node.admin)).status === 200;
    await until('the change', isThere);
    proxy.set('pass');
    proxy.cutAll();
    expect(JSON.parse((await again).stdout)).toMatchObject({ version: 1 });
    proxy.set('lose-responses');
    const lost = await umbra(`client create cli-8 --timeout 3 ${by('chief.key')} --json`);
    expect([lost.exit, JSON.parse(lost.stderr)]).toMatchObject([8, { error: { outcome: 'unknown', exit: 8 } }]);
    await until('the client', async () => (await node.ask('GET', '/v1/principals/cli-8', node.admin)).status === 200);
    const silent = await umbra(`patch cli-8 power=off ${by('service.key')} --timeout 1`);
    expect([silent.exit, silent.stderr]).toEqual([8, expect.stringContaining('may have been carried out')]);
    expect(await codes(`get cli-8 ${by('service.key')} --timeout 1`)).toEqual([7]);
  });

  it('leaves no key in the history of a shell', async () => {
    const history = join(config, 'history');
    const lines = [
      `node src/cli/dist/main.js context set shell --server ${node.url} --key-file ${join(config, 'service.key')}`,
      'node src/cli/dist/main.js get lamp --context shell',
    ];
    const input = ['set -o history', ...lines, 'history -w', ''].join('\n');
    const env = { PATH: process.env['PATH'], XDG_CONFIG_HOME: config, HISTFILE: history };
    const shell = spawn('bash', ['--norc', '-s'], { env, timeout: 60_000 });
    shell.stdin.end(input);
    await once(shell, 'close');
    expect(readFileSync(history, 'utf8').split('\n').slice(0, 2)).toEqual(lines);
    expect(lines.join()).not.toMatch(/umk_/);
  });

  it('tells by its exit code what the service said', async () => {
    expect(await codes('patch cli-1/net power=on', 'patch cli-1 a=1 --if-version 9', 'get cli-2')).toEqual([0, 6, 5]);
    const got = await umbra('get cli-1/net --json');
    expect(JSON.parse(got.stdout)).toMatchObject({
      thing: 'cli-1',
      shadow: 'net',
      version: 1,
      desired: { power: 'on' },
    });
    const watched = await umbra('watch cli-1/* --initial --json', { interrupt: '\n' });
    expect([watched.exit, JSON.parse(watched.stdout)]).toMatchObject([130, { thing: 'cli-1', isInitial: true }]);
    const refused = ['patch cli-1 a=1 --context viewer', 'get cli-1 --server http://127.0.0.1:1 --timeout 1', 'get'];
    expect(await codes(...refused, `get cli-1 --server ${node.url}`)).toEqual([4, 7, 2, 3]);
    const healthy = await umbra('doctor --json');
    expect([healthy.exit, healthy.stdout]).toEqual([0, expect.stringContaining('command of the tenant default')]);

    await node.ask('DELETE', '/v1/principals/command', node.admin);
    const last = await umbra('doctor --json');
    expect([last.exit, last.stdout]).toEqual([3, expect.stringContaining('"check":"credential","state":"failed"')]);
  });
});
