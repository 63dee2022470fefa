import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scriptedEvents, scriptedFetch, type ScriptedFetch, type Sent } from '../../sdk/testing/index.js';
import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';

const KEY = 'umk_0123456789abcdefSECRET';
const DOCUMENT = {
  state: { desired: { power: 'on' }, delta: { power: 'on' } },
  metadata: {},
  version: 3,
  timestamp: 1,
};
const ANSWER = { ...DOCUMENT, changedAt: '2026-11-28T00:00:00.000Z' };
const json = (body: unknown, status = 200, headers = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'umbra-revision': '7', ...headers } });
const problem = (status: number, type: string) =>
  json({ type: `urn:umbra:problem:${type}`, title: type, status }, status);

let commands: Commands;
beforeEach(async () => {
  commands = new Commands();
  await commands.run('context set home --server http://umbra.test --key-file -', { stdin: KEY });
});
afterEach(() => commands.remove());

const only = ({ sent }: ScriptedFetch): Sent => {
  expect(sent).toHaveLength(1);
  return sent[0]!;
};

describe('get', () => {
  it('shows a shadow', async () => {
    const fetch = scriptedFetch(() => json(ANSWER));
    const { exit, stdout } = await commands.run('get lamp-1/net', { fetch });
    expect(exit).toBe(EXIT.done);
    expect(stdout.split('\n')[0]).toBe('lamp-1/net  version 3  changed 2026-11-28T00:00:00.000Z');
    expect(only(fetch)).toMatchObject({
      url: 'http://umbra.test/v1/things/lamp-1/shadow?name=net',
      headers: { authorization: `Bearer ${KEY}` },
    });
    const asJson = await commands.run('get lamp-1 --json', { fetch });
    expect(asJson.json).toMatchObject([{ thing: 'lamp-1', shadow: null, version: 3, desired: { power: 'on' } }]);
  });

  it.each([
    [404, 'not-found', EXIT.notFound],
    [401, 'credentials-missing', EXIT.notSignedIn],
    [403, 'not-allowed', EXIT.notAllowed],
    [400, 'invalid-thing-name', EXIT.failed],
  ])('ends after %d by its kind', async (status, type, exit) => {
    const fetch = scriptedFetch(() => problem(status, type));
    const ended = await commands.run('get lamp-1', { fetch });
    expect([ended.exit, ended.stdout, ended.stderr.includes(KEY)]).toEqual([exit, '', false]);
  });

  it('sends no key of a context to another server', async () => {
    const fetch = scriptedFetch(() => json(ANSWER));
    await commands.run('get lamp-1 --server http://other.test', { fetch });
    expect(only(fetch).headers).not.toHaveProperty('authorization');
  });

  it('is interrupted', async () => {
    const control = new AbortController();
    const fetch = scriptedFetch(() => (control.abort(), new Promise(() => undefined)));
    expect(await commands.run('get lamp-1', { fetch, signal: control.signal })).toMatchObject({ exit: 130 });
  });

  it('says that the server is away', async () => {
    const fetch = scriptedFetch(() => Promise.reject(new TypeError('fetch failed')));
    expect(await commands.run('get lamp-1 --timeout 0.05', { fetch })).toMatchObject({ exit: EXIT.unreachable });
  });
});

describe('patch and set', () => {
  it('send assignments as members', async () => {
    const fetch = scriptedFetch(() => json(ANSWER));
    const line =
      'patch lamp-1 power=on level=3 color.r=null color.g=[1] /a.b/c~1d={"x":1} __proto__.y=2 --if-version 2';
    expect(await commands.run(line, { fetch })).toMatchObject({ exit: EXIT.done, stdout: 'lamp-1  version 3\n' });
    expect(only(fetch)).toMatchObject({ method: 'PATCH', headers: { 'if-match': '"2"' } });
    expect(only(fetch).body).toBe(
      '{"state":{"desired":{"power":"on","level":3,"color":{"r":null,"g":[1]},"a.b":{"c/d":{"x":1}},"__proto__":{"y":2}}}}',
    );
  });

  it('send what a file or stdin has', async () => {
    const fetch = scriptedFetch(() => json(ANSWER));
    const given = { fetch, stdin: '{"level": 1}' };
    expect(await commands.run('set lamp-1/net --section reported --file -', given)).toMatchObject({ exit: 0 });
    expect(only(fetch)).toMatchObject({
      url: 'http://umbra.test/v1/things/lamp-1/shadow/reported?name=net',
      body: '[{"op":"replace","path":"","value":{"level":1}}]',
    });
  });

  it.each([
    ['{\n  "a": 1,\n}', ':3:1: '],
    ['{"a": 1, "a": 2}', ':1:10: the member "a" is there twice'],
    ['\n [1]', ':2:2: the members of a section must be an object'],
    ['{"a": 1} x', ':1:10: '],
    ['', ':1:1: value expected'],
    ['{"a": /* one */ 1}', ':1:7: '],
  ])('refuse the file %j before anything is sent', async (text, message) => {
    const file = join(commands.home, 'state.json');
    writeFileSync(file, text);
    const fetch = scriptedFetch(() => json(ANSWER));
    const { exit, stderr } = await commands.run(`set lamp-1 --file ${file}`, { fetch });
    expect([exit, fetch.sent.length]).toEqual([EXIT.usage, 0]);
    expect(stderr).toContain(file + message);
  });

  it.each([
    ['{"a": "fuer"}\n{"a": "f\xfcr"}', ':2:9: this is not UTF-8'],
    // Begun characters: ahead of another one, and at the end.
    ['\xef\xbb\xbf{"\xe4\xb8\xad\xe4(": 1}', ':1:4: this is not UTF-8'],
    ['{"a": 1}\xf0\x9f', ':1:9: this is not UTF-8'],
    ['\xc0\x80', ':1:1: this is not UTF-8'],
  ])('refuse the bytes %j, which are not UTF-8', async (latin1, message) => {
    const file = join(commands.home, 'state.json');
    writeFileSync(file, latin1, 'latin1');
    const fetch = scriptedFetch(() => json({}));
    const { exit, stderr } = await commands.run(`set lamp-1 --file ${file}`, { fetch });
    expect([exit, stderr, fetch.sent]).toEqual([EXIT.usage, `umbra: ${file}${message}\n`, []]);
  });

  it('send a character that stands for others as the file has it', async () => {
    const file = join(commands.home, 'state.json');
    writeFileSync(file, '\ufeff{"a": "\ufffd\u{1f600}"}');
    const fetch = scriptedFetch(() => json(ANSWER));
    await commands.run(`set lamp-1 --file ${file}`, { fetch });
    expect(JSON.parse(only(fetch).body!)).toMatchObject([{ value: { a: '\ufffd\u{1f600}' } }]);
  });

  it.each([
    'patch lamp-1',
    'patch lamp-1 power',
    'patch lamp-1 =on',
    'patch lamp-1 a..b=1',
    'patch lamp-1 a=1 a.b=2',
    'patch lamp-1 a.b=2 a=1',
    'patch lamp-1 a=1 --file x.json',
    'patch lamp-1 --file - --key-file -',
    'patch lamp-1/ a=1',
    'patch lamp-1/a/b a=1',
    'patch lamp-1 a=1 --if-version 0',
    'patch lamp-1 a=1 --section delta',
    'set lamp-1 a=1 --client-token t',
    'delete lamp-1',
    'delete lamp-1/net --all --yes',
    'get',
  ])('%s is wrong', async (line) => {
    const fetch = scriptedFetch(() => json(ANSWER));
    expect([(await commands.run(line, { fetch })).exit, fetch.sent.length]).toEqual([EXIT.usage, 0]);
  });

  it('end with a conflict, or with an outcome that is unknown', async () => {
    const conflict = scriptedFetch(() => problem(412, 'precondition-failed'));
    const ended = await commands.run('patch lamp-1 a=1 --if-version absent --json', { fetch: conflict });
    expect([ended.exit, JSON.parse(ended.stderr)]).toMatchObject([
      EXIT.conflict,
      { error: { code: 'precondition-failed', status: 412, exit: EXIT.conflict, outcome: 'not-applied' } },
    ]);
    const lost = scriptedFetch(() => new Promise(() => undefined));
    const unknown = await commands.run('patch lamp-1 a=1 --timeout 0.05', { fetch: lost });
    expect(unknown.exit).toBe(EXIT.unknownOutcome);
    expect(unknown.stderr).toContain('may have been carried out');
  });
});

it('delete asks first', async () => {
  const fetch = scriptedFetch(() => json({ version: 4 }));
  const no = { fetch, answers: { confirm: () => Promise.resolve(false) } };
  expect(await commands.run('delete lamp-1', no)).toMatchObject({ exit: EXIT.failed });
  expect(fetch.sent).toEqual([]);
  expect(await commands.run('delete lamp-1/net --yes', { fetch })).toMatchObject({ stdout: 'lamp-1/net is deleted\n' });
  expect(only(fetch)).toMatchObject({ method: 'DELETE' });
});

it('things are listed', async () => {
  const shadows = [
    { name: null, version: 1, changedAt: '' },
    { name: 'net', version: 1, changedAt: '' },
  ];
  const fetch = scriptedFetch(() =>
    json({
      things: [
        { thing: 'lamp-1', shadows },
        { thing: 'x', shadows: [] },
      ],
    }),
  );
  expect((await commands.run('things', { fetch })).stdout).toBe('THING   SHADOWS\nlamp-1  (classic), net\nx\n');
  expect((await commands.run('things --json', { fetch })).json).toMatchObject([{ thing: 'lamp-1' }, { thing: 'x' }]);
});

describe('watch', () => {
  const change = (version: number) => ({
    ...{ kind: 'updated', tenant: 'default', thing: 'lamp-1', shadow: null, version, revision: version },
    ...{
      time: '2026-11-28T00:00:00.000Z',
      principal: 'x',
      patch: { desired: { a: version } },
      removed: [],
      delta: null,
    },
    document: { state: {}, metadata: {}, version },
  });

  it('prints changes, and keeps the cursor of the last one', async () => {
    const events = scriptedEvents();
    const fetch = scriptedFetch(() => events.response);
    for (const version of [1, 2, 3]) events.send('change', change(version), `c${version}`);
    const cursor = join(commands.home, 'cursor');
    const line = `watch lamp-* --delta --kind updated --path /desired/a /desired/b --count 2 --cursor-file ${cursor}`;
    const { exit, stdout } = await commands.run(line, { fetch });
    expect([exit, stdout.split('\n')[1]]).toEqual([0, '2026-11-28T00:00:00.000Z  lamp-1  2  {"desired":{"a":2}}']);
    expect(readFileSync(cursor, 'utf8')).toBe('c2\n');
    const query = new URL(only(fetch).url).searchParams;
    expect([query.get('thing'), query.get('delta'), query.getAll('path')]).toEqual([
      'lamp-*',
      'true',
      ['/desired/a', '/desired/b'],
    ]);
  });

  it('tells at once that the server is away, and later that it is tried again', async () => {
    const away = () => Promise.reject(new TypeError('fetch failed'));
    const never = await commands.run('watch', { fetch: scriptedFetch(away) });
    expect([never.exit, never.stderr]).toEqual([EXIT.unreachable, expect.stringContaining('no answer (fetch failed)')]);
    const events = [scriptedEvents(), scriptedEvents()];
    events[0]!.raw('retry: 1\n\n');
    const fetch = scriptedFetch((_, index) => (index === 1 ? away() : events[index === 0 ? 0 : 1]!.response));
    events[0]!.send('change', change(1), 'c1');
    events[0]!.end();
    events[1]!.send('change', change(2), 'c2');
    const { exit, stderr } = await commands.run('watch --count 2 --json', { fetch });
    expect([exit, JSON.parse(stderr)]).toMatchObject([
      0,
      { warning: { message: expect.stringMatching(/trying again$/) } },
    ]);
  });

  it('ends with 130 at Ctrl-C', async () => {
    const control = new AbortController();
    const events = scriptedEvents();
    events.send('change', change(1), 'c1');
    const stdout = { isTerminal: false, write: async () => control.abort() };
    const given = { fetch: scriptedFetch(() => events.response), signal: control.signal, stdout };
    expect(await commands.run('watch lamp-1 --json', given)).toMatchObject({ exit: 130 });
  });
});
