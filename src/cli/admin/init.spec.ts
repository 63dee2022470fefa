import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../exit-code.js';
import { Commands, type Given } from '../testing/commands.js';
import { problem, scriptedService, type ScriptedService } from '../testing/service.js';

const KEY = 'umk_0123456789abcdefADMIN';
const ME = { tenant: 'default', principal: 'admin', roles: ['admin'], expiresAt: null };
const READY = { ready: true, version: '1', parts: {} };

let commands: Commands;
let keyFile: string;
beforeEach(() => {
  commands = new Commands();
  keyFile = join(commands.home, 'admin.key');
  writeFileSync(keyFile, KEY);
});
afterEach(() => commands.remove());

/** A fresh service, which asks for a key. */
const fresh = (more: Parameters<typeof scriptedService>[0] = {}): ScriptedService =>
  scriptedService({
    'GET /health/ready': READY,
    'GET /v1/auth/me': ({ headers }) => (headers['authorization'] ? ME : problem(401, 'credentials-missing')),
    'PUT /v1/tenants/plant': [201, {}],
    'PUT /v1/tenants/plant/policies/lamp': [201, {}],
    'PUT /v1/tenants/plant/principals/lamp': [201, {}],
    'PUT /v1/principals/lamp': [201, {}],
    'POST /v1/principals/lamp/keys': [201, { id: 'k1', key: `${KEY}LAMP` }],
    'POST /v1/tenants/plant/principals/lamp/keys': [201, { id: 'k1', key: `${KEY}LAMP` }],
    ...more,
  });
const kept = () =>
  JSON.parse(readFileSync(join(commands.home, '.config/umbra/config.json'), 'utf8')) as Record<string, unknown>;
const writes = ({ asked }: ScriptedService) => asked.filter(([route]) => !route.startsWith('GET '));

it('makes a context, a tenant, and a device with its key and policy, and asks nothing with flags', async () => {
  const policy = join(commands.home, 'lamp.json');
  const statement = { Effect: 'Deny', Action: 'iot:DeleteThingShadow', Resource: 'arn:aws:iot:*:*:thing/lamp' };
  const text = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  writeFileSync(policy, text);
  const fetch = fresh();
  const out = join(commands.home, 'lamp.key');
  const line = `init --server http://umbra.test --key-file ${keyFile} --tenant plant --device lamp --key-out ${out}`;
  const ended = await commands.run(`${line} --policy ${policy} --yes --json`, { fetch });
  expect([ended.exit, ended.stderr, ended.json]).toEqual([
    EXIT.done,
    '',
    [
      {
        ...{ context: 'default', server: 'http://umbra.test', tenant: 'plant', principal: 'admin' },
        made: ['tenant plant', 'policy lamp', 'device lamp', `key k1 of lamp, in ${out}`],
      },
    ],
  ]);
  expect(writes(fetch)).toEqual([
    ['PUT /v1/tenants/plant', {}],
    ['PUT /v1/tenants/plant/policies/lamp', JSON.parse(text)],
    ['PUT /v1/tenants/plant/principals/lamp', { kind: 'device', thing: 'lamp', roles: ['device'], policies: ['lamp'] }],
    ['POST /v1/tenants/plant/principals/lamp/keys', {}],
  ]);
  expect(kept()).toEqual({
    current: 'default',
    contexts: { default: { server: 'http://umbra.test', tenant: 'plant', key: KEY } },
  });
  expect([readFileSync(out, 'utf8'), ended.stdout.includes('umk_')]).toEqual([`${KEY}LAMP\n`, false]);
});

describe('on a terminal', () => {
  const answering = (texts: readonly string[], more: Given = {}): Given => {
    const left = [...texts];
    const text = (): Promise<string | null> => Promise.resolve(left.shift() ?? null);
    return { answers: { text, secret: () => Promise.resolve(KEY) }, ...more };
  };

  it('asks for what is not given', async () => {
    const fetch = fresh();
    const out = join(commands.home, 'lamp.key');
    const ended = await commands.run('init', answering(['http://umbra.test', 'default', 'lamp', out], { fetch }));
    expect([ended.exit, ended.stdout.split('\n')[1]]).toEqual([
      EXIT.done,
      'you are admin, and administer the tenant default',
    ]);
    expect(writes(fetch).map(([route]) => route)).toEqual(['PUT /v1/principals/lamp', 'POST /v1/principals/lamp/keys']);
    expect(kept()['contexts']).toEqual({ default: { server: 'http://umbra.test', key: KEY } });
  });

  it('makes no device that nobody wants, and ends when the person gives up', async () => {
    const fetch = fresh();
    expect((await commands.run('init', answering(['http://umbra.test', 'default', ''], { fetch }))).exit).toBe(
      EXIT.done,
    );
    expect(writes(fetch)).toEqual([]);
    expect((await commands.run('init other', answering([], { fetch }))).exit).toBe(EXIT.interrupted);
    expect((await commands.run('init default --server http://x', { fetch })).exit).toBe(EXIT.usage);
  });
});

it('takes a service that serves everybody', async () => {
  const fetch = fresh({ 'GET /v1/auth/me': problem(404, 'no-route') });
  const { exit, stdout } = await commands.run('init --server http://umbra.test', { fetch });
  expect([exit, stdout]).toEqual([
    EXIT.done,
    'default is the current context: http://umbra.test\nthe service asks for no credential\n',
  ]);
  expect((await commands.run('doctor', { fetch })).stdout).toContain('the service serves everybody');
  expect((await commands.run('init a --server http://umbra.test --tenant t', { fetch })).exit).toBe(EXIT.usage);
});

it.each<[string, object, number, string]>([
  ['without a key', {}, EXIT.usage, 'give --key-file FILE'],
  ['with a refused key', { 'GET /v1/auth/me': problem(401, 'credentials-unknown') }, EXIT.notSignedIn, 'unknown'],
  ['when it is not ready', { 'GET /health/ready': [503, { ready: false, parts: {} }] }, EXIT.unreachable, '503'],
])('ends %s, and keeps nothing', async (how, routes, exit, message) => {
  const key = how === 'without a key' ? '' : ` --key-file ${keyFile}`;
  const line = `init --server http://umbra.test${key} --yes`;
  const ended = await commands.run(line, { fetch: fresh(routes as Parameters<typeof fresh>[0]) });
  expect([ended.exit, ended.stderr]).toEqual([exit, expect.stringContaining(message)]);
  expect(existsSync(join(commands.home, '.config/umbra/config.json'))).toBe(false);
});

it('makes no second device of a name', async () => {
  const fetch = fresh({ 'GET /v1/principals/lamp': {} });
  const line = `init --server http://umbra.test --key-file ${keyFile} --device lamp`;
  const { exit, stderr } = await commands.run(`${line} --key-out ${keyFile} --force`, { fetch });
  expect([exit, stderr]).toEqual([
    EXIT.conflict,
    expect.stringContaining(`\`umbra --context default device key lamp --out ${keyFile} --force\` makes another key`),
  ]);
  expect((await commands.run('init x --server http://a --key-out k', { fetch })).exit).toBe(EXIT.usage);
});

describe('when it cannot be carried out to its end', () => {
  const line = () => `init --server http://umbra.test --key-file ${keyFile} --tenant plant --device lamp --key-out`;

  it('changes nothing if there is no place for the key, or the person gives up', async () => {
    const fetch = fresh();
    expect(await commands.run(`${line()} ${keyFile}`, { fetch })).toMatchObject({
      ...{
        exit: EXIT.usage,
        stderr: `umbra: ${keyFile} exists already: give another file, or --force to replace it\n`,
      },
    });
    const left = ['plant', 'lamp'];
    const answers = { text: () => Promise.resolve(left.shift() ?? null) };
    const given = await commands.run(`init --server http://umbra.test --key-file ${keyFile}`, { fetch, answers });
    expect([given.exit, writes(fetch)]).toEqual([EXIT.interrupted, []]);
    expect(existsSync(join(commands.home, '.config/umbra/config.json'))).toBe(false);
  });

  it('tells what has been made, and how to go on', async () => {
    const out = join(commands.home, 'lamp.key');
    const noKey = fresh({ 'POST /v1/tenants/plant/principals/lamp/keys': problem(403, 'not-allowed') });
    const first = await commands.run(`${line()} ${out}`, { fetch: noKey });
    expect([first.exit, first.stderr.split('\n')]).toEqual([
      EXIT.notAllowed,
      [
        'umbra: made before it failed: tenant plant; device lamp; the context default, which is the current one',
        `umbra: the device lamp is created, but its key is not in ${out}: ` +
          `go on with \`umbra --context default device key lamp --out ${out}\`, ` +
          'or take it back with `umbra --context default device delete lamp`',
        'umbra: not-allowed.',
        '',
      ],
    ]);
    const noDevice = fresh({ 'PUT /v1/tenants/plant/principals/lamp': problem(403, 'not-allowed') });
    const second = await commands.run(`${line()} ${out} --yes --json`, { fetch: noDevice });
    const warnings = second.stderr.split('\n').map((each) => JSON.parse(each || 'null') as unknown);
    expect([second.exit, warnings]).toMatchObject([
      EXIT.notAllowed,
      [
        { warning: { code: 'half-done', message: expect.stringContaining('tenant plant; the context') } },
        { warning: { code: 'go-on', message: expect.stringContaining('`umbra init` goes on from there') } },
        { error: { exit: EXIT.notAllowed } },
        null,
      ],
    ]);
  });

  it('tells that a policy of the name is another one', async () => {
    const policy = join(commands.home, 'lamp.json');
    const statement = { Effect: 'Deny', Action: 'iot:DeleteThingShadow', Resource: 'arn:aws:iot:*:*:thing/lamp' };
    const document = { Version: '2012-10-17', Statement: [statement] };
    writeFileSync(policy, JSON.stringify(document));
    const warned = async (live: object): Promise<string> => {
      const fetch = fresh({ 'GET /v1/tenants/plant/policies/lamp': { document: live } });
      const out = join(commands.home, 'lamp.key');
      const ended = await commands.run(`${line()} ${out} --policy ${policy} --force --yes`, { fetch });
      expect(ended.exit).toBe(EXIT.done);
      return ended.stderr;
    };
    expect(await warned(document)).toBe('');
    expect(await warned({ ...document, Statement: [] })).toMatch(
      /there is another policy lamp already, .*`umbra --context default policy get lamp`/,
    );
  });
});
