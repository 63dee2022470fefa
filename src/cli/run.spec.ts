import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EXIT, exitCodeOf } from './exit-code.js';
import { UmbraError } from '../sdk/index.js';
import { Commands } from './testing/commands.js';
import { scriptedService } from './testing/service.js';

const KEY = 'umk_0123456789abcdefSECRET';
let commands: Commands;
let file: string;

beforeEach(() => {
  commands = new Commands();
  file = join(commands.home, '.config/umbra/config.json');
});
afterEach(() => commands.remove());

const kept = () =>
  JSON.parse(readFileSync(file, 'utf8')) as { current: string | null; contexts: Record<string, object> };

describe('contexts', () => {
  it('are kept in a file that only its owner reads, and shown without keys', async () => {
    const made = await commands.run('context set home --server https://x.example/ --key-file -', { stdin: `${KEY}\n` });
    expect(made).toMatchObject({ exit: EXIT.done, stderr: '' });
    expect([statSync(file).mode & 0o777, statSync(dirname(file)).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(kept()).toEqual({ current: 'home', contexts: { home: { server: 'https://x.example', key: KEY } } });
    const texts = [made, await commands.run('context list'), await commands.run('context show --json')];
    expect(texts.map(({ stdout }) => stdout).join()).not.toContain('umk_');
    expect(texts[1]!.stdout).toBe('   NAME  SERVER             TENANT  KEY\n*  home  https://x.example          yes\n');
    expect(texts[2]!.json).toEqual([
      { name: 'home', server: 'https://x.example', tenant: null, hasKey: true, issuer: null, isCurrent: true },
    ]);
  });

  it('are changed, chosen and forgotten', async () => {
    await commands.run('context set a --server http://a --tenant acme');
    await commands.run('context set b --server http://b');
    expect(kept().current).toBe('a');
    expect(await commands.run('context use b')).toMatchObject({ exit: EXIT.done });
    expect(await commands.run('context use c')).toMatchObject({ exit: EXIT.notFound });
    expect(await commands.run('context show toString')).toMatchObject({ exit: EXIT.notFound });
    await commands.run('context set a --ask-key', { answers: { secret: () => Promise.resolve(` ${KEY} `) } });
    expect(kept().contexts['a']).toEqual({ server: 'http://a', tenant: 'acme', key: KEY });
    await commands.run('context set a --no-key');
    expect(kept().contexts['a']).toEqual({ server: 'http://a', tenant: 'acme' });
    expect(await commands.run('context delete b --yes')).toMatchObject({ exit: EXIT.done });
    expect(kept()).toEqual({ current: null, contexts: { a: { server: 'http://a', tenant: 'acme' } } });
    expect(await commands.run('context show')).toMatchObject({ exit: EXIT.notFound });
  });

  it('are all kept if many are set at once', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `c${n}`);
    const ended = await Promise.all(names.map((name) => commands.run(`context set ${name} --server http://${name}`)));
    expect(ended.filter(({ exit }) => exit !== EXIT.done)).toEqual([]);
    await Promise.all([commands.run('context use c3'), commands.run('context delete c7 --yes')]);
    expect(Object.keys(kept().contexts).sort()).toEqual(names.filter((name) => name !== 'c7').sort());
    expect([kept().current, readdirSync(dirname(file))]).toEqual(['c3', ['config.json']]);
  });

  it('never keep a key for another server', async () => {
    await commands.run('context set a --server http://a --key-file -', { stdin: KEY });
    const { stdout } = await commands.run('context set a --server http://evil');
    expect(stdout).toBe('context a is kept; forgotten, since it was for the other server: its key\n');
    expect(kept().contexts['a']).toEqual({ server: 'http://evil' });
  });

  it('never keep a tenant or a login for another server, and say so', async () => {
    await commands.run('context set a --server http://a --tenant acme');
    const login = { issuer: 'http://127.0.0.1:1', clientId: 'cli' };
    writeFileSync(file, JSON.stringify({ current: 'a', contexts: { a: { ...kept().contexts['a'], login } } }));
    const { stdout } = await commands.run('context set a --server http://b');
    expect(stdout).toContain(': its login at http://127.0.0.1:1, its tenant acme\n');
    expect(kept().contexts['a']).toEqual({ server: 'http://b' });
    await commands.run('context set a --server http://a --tenant plant');
    expect(kept().contexts['a']).toEqual({ server: 'http://a', tenant: 'plant' });
    const fetch = scriptedService({
      'GET /v1/auth/me': { tenant: 'default', principal: 'ada', roles: [], expiresAt: null },
    });
    const signedIn = await commands.run('login a --server http://b --key-file -', { stdin: KEY, fetch });
    expect([signedIn.exit, signedIn.stderr]).toEqual([
      EXIT.done,
      'umbra: the context a was for the tenant plant of the other server, which is forgotten\n',
    ]);
    expect(kept().contexts['a']).toEqual({ server: 'http://b', key: KEY });
  });

  it('are for the tenant of their credential again', async () => {
    await commands.run('context set a --server http://a --tenant acme');
    expect((await commands.run('context set a --no-tenant')).stdout).toBe('context a is kept\n');
    expect(kept().contexts['a']).toEqual({ server: 'http://a' });
  });

  it('are read from XDG_CONFIG_HOME, if it is absolute', async () => {
    const env = { XDG_CONFIG_HOME: join(commands.home, 'elsewhere') };
    await commands.run('context set a --server http://a', { env });
    expect((await commands.run('context show --json', { env })).json).toMatchObject([{ name: 'a' }]);
    expect(await commands.run('context show', { env: { XDG_CONFIG_HOME: 'relative' } })).toMatchObject({ exit: 5 });
  });

  it('are refused if others may read them, or if they are broken', async () => {
    await commands.run('context set a --server http://a');
    chmodSync(file, 0o640);
    expect(await commands.run('context list')).toMatchObject({
      exit: EXIT.failed,
      stderr: `umbra: ${file} has keys and is open to other users: chmod 600 ${file}\n`,
    });
    chmodSync(file, 0o600);
    writeFileSync(file, '{\n  "contexts": {,}\n}');
    expect((await commands.run('context list')).stderr).toContain(`${file}:2:16: `);
    writeFileSync(file, '{"contexts": {"a": {"server": 1}}}');
    expect(await commands.run('context use a')).toMatchObject({ exit: EXIT.failed });
  });
});

describe('a wrong command line', () => {
  it.each([
    ['', 'Usage: umbra'],
    ['context', 'Usage: umbra context'],
    ['nonsense', "unknown command 'nonsense'"],
    ['context lsit', "unknown command 'lsit'"],
    ['context set', "missing required argument 'name'"],
    ['context list extra', 'too many arguments'],
    ['context set a', 'the context a is new: give --server URL'],
    ['context set a/b --server http://a', 'the name of a context'],
    ['context set a --server http://user:word@a', 'the server must be like'],
    ['context set a --server ftp://a', 'the server must be like'],
    ['context set a --server http://a --ask-key', '--ask-key needs a terminal'],
    ['context set a --server http://a --ask-key --no-key', 'give one of'],
    ['context set a --server http://a --key-file /nonexistent/key', '/nonexistent/key cannot be read (ENOENT)'],
    ['context list --timeout 0', 'Use seconds'],
    [`context list --key=${KEY}`, 'a key must not be an argument'],
  ])('%s', async (line, message) => {
    const { exit, stdout, stderr } = await commands.run(line.split(' ').filter(Boolean));
    expect([exit, stdout]).toEqual([EXIT.usage, '']);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain(KEY);
  });

  it('is told as JSON to programs', async () => {
    const { stderr, exit } = await commands.run('context use a --json');
    expect([exit, JSON.parse(stderr)]).toEqual([
      5,
      { error: { code: 'failed', exit: 5, message: expect.any(String) } },
    ]);
    expect(JSON.parse((await commands.run('nonsense --json')).stderr)).toMatchObject({
      error: { code: 'usage', exit: 2 },
    });
  });

  it('never shows what a file with a key has', async () => {
    const stdin = 'a secret of\nseveral lines';
    const { exit, stderr } = await commands.run('context set a --server http://a --key-file -', { stdin });
    expect([exit, stderr]).toEqual([2, 'umbra: stdin has no key: it must be one line of ASCII without blanks\n']);
  });
});

describe('questions', () => {
  it('are for terminals', async () => {
    await commands.run('context set a --server http://a');
    expect(await commands.run('context delete a')).toMatchObject({
      exit: EXIT.usage,
      stderr: 'umbra: Forget the context a and its key? Confirm with --yes.\n',
    });
  });

  it.each([
    [true, EXIT.done, 0],
    [false, EXIT.failed, 1],
    [null, EXIT.interrupted, 1],
  ])('answered with %s', async (answer, exit, left) => {
    await commands.run('context set a --server http://a');
    const answers = { confirm: () => Promise.resolve(answer) };
    expect((await commands.run('context delete a', { answers })).exit).toBe(exit);
    expect(Object.keys(kept().contexts)).toHaveLength(left);
  });
});

describe('output', () => {
  it('has colours on a terminal alone', async () => {
    await commands.run('context set a --server http://a');
    const seen = async (line: string, env = {}, terminal = true) =>
      (await commands.run(line, { env, terminal })).stdout.includes('\x1b[');
    expect(await seen('context list')).toBe(true);
    expect(await seen('context list', {}, false)).toBe(false);
    expect(await seen('context list --no-color')).toBe(false);
    expect(await seen('context list', { NO_COLOR: '1' })).toBe(false);
    expect(await seen('context list', { TERM: 'dumb' })).toBe(false);
  });

  it('lets no character command the terminal', async () => {
    await commands.run('context set a --server http://a');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ contexts: { a: { server: 'http://a\x1b[2J\x9b' } } }));
    expect((await commands.run('context list', { terminal: true })).stdout).toContain('http://a\\u001b[2J\\u009b');
    expect((await commands.run('context show a --json')).json).toMatchObject([{ server: 'http://a\x1b[2J\x9b' }]);
  });

  it('lets no value of a table or of a record begin a line', async () => {
    const principal = {
      ...{ principal: 'lamp', kind: 'device', disabled: false, thing: 'a\nb\tc', thingType: null },
      ...{ attributes: { room: 'a\nroles  admin' }, roles: ['device'], policies: [], groups: [], createdAt: '' },
    };
    const fetch = scriptedService({
      'GET /v1/principals/lamp': principal,
      'GET /v1/principals/lamp/keys': { keys: [] },
      'GET /v1/principals?limit=100': { principals: [principal] },
    });
    await commands.run('context set a --server http://a');
    const { stdout } = await commands.run('client show lamp', { fetch });
    expect(stdout.split('\n').filter((line) => line.startsWith('roles'))).toHaveLength(1);
    expect((await commands.run('client list', { fetch })).stdout.split('\n')).toHaveLength(3);
  });

  it('helps on stdout', async () => {
    const { exit, stdout } = await commands.run('context set --help');
    expect([exit, stdout.includes('--ask-key') && stdout.includes('--key-file')]).toEqual([EXIT.done, true]);
  });
});

it.each([
  [{ code: 'unreachable' }, EXIT.unreachable],
  [{ code: 'timeout' }, EXIT.unreachable],
  [{ code: 'timeout', outcome: 'unknown' as const }, EXIT.unknownOutcome],
  [{ code: 'unauthorized', status: 401 }, EXIT.notSignedIn],
  [{ code: 'forbidden', status: 403 }, EXIT.notAllowed],
  [{ code: 'forbidden' }, EXIT.notAllowed],
  [{ code: 'not-found', status: 404 }, EXIT.notFound],
  [{ code: 'precondition-failed', status: 412 }, EXIT.conflict],
  [{ code: 'conflict', status: 409 }, EXIT.conflict],
  [{ code: 'unavailable', status: 503 }, EXIT.unreachable],
  [{ code: 'invalid-argument' }, EXIT.usage],
  [{ code: 'invalid-request', status: 400 }, EXIT.failed],
])('the error %j', (parts, exit) => {
  expect(exitCodeOf(new UmbraError({ message: '', ...parts }))).toBe(exit);
});
