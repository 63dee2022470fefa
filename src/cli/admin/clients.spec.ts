import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issueAuthority } from '../../../test/harness/x509.js';
import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';
import { problem, scriptedService } from '../testing/service.js';

const KEY = 'umk_0123456789abcdefSECRET';
const TENANT = {
  ...{ tenant: 'acme', title: 'Acme', disabled: false, account: null, policies: ['p'], limits: { records: 5 } },
  createdAt: '2026-11-28T00:00:00.000Z',
};
const MEMBERS = {
  ...{ kind: 'service', disabled: false, thing: null, thingType: null, attributes: {} },
  ...{ roles: ['viewer'], policies: [], groups: [] },
};
const DASH = { principal: 'dash', ...MEMBERS, createdAt: '2026-11-28T00:00:00.000Z' };
const LAMP = { ...DASH, principal: 'lamp', kind: 'device', thing: 'lamp' };
const HELD = {
  ...{ id: 'old', principal: 'dash', kind: 'secret', title: 'wall', disabled: false },
  ...{ createdAt: '2026-11-01T00:00:00.000Z', expiresAt: '2026-11-02T00:00:00.000Z' },
};

let commands: Commands;
beforeEach(async () => {
  commands = new Commands();
  await commands.run('context set home --server http://umbra.test --key-file -', { stdin: KEY });
});
afterEach(() => commands.remove());

describe('tenant', () => {
  it('lists all pages, as a table and line by line', async () => {
    const fetch = scriptedService({
      'GET /v1/tenants?limit=100': { tenants: [TENANT], next: 'acme' },
      'GET /v1/tenants?limit=100&after=acme': { tenants: [{ ...TENANT, tenant: 'b', disabled: true }] },
    });
    const { stdout, exit } = await commands.run('tenant list', { fetch });
    expect(exit).toBe(EXIT.done);
    expect(stdout.split('\n').map((line) => line.split(/ +/).slice(0, 3))).toEqual([
      ...[['TENANT', 'TITLE', 'STATE'], ['acme', 'Acme', 'enabled'], ['b', 'Acme', 'disabled'], ['']],
    ]);
    expect((await commands.run('tenant list --json', { fetch })).json).toMatchObject([
      { tenant: 'acme' },
      { tenant: 'b' },
    ]);
  });

  it('is shown, created and changed', async () => {
    const fetch = scriptedService({
      'GET /v1/tenants/acme': TENANT,
      'PUT /v1/tenants/acme': TENANT,
      'DELETE /v1/tenants/acme': [204, null],
    });
    const { stdout } = await commands.run('tenant show acme', { fetch });
    expect(stdout).toContain('limits    records=5\n');
    await commands.run('tenant create acme --title Acme --policy p --policy q --limit records=9', { fetch });
    await commands.run('tenant update acme --disable --limit sessions=2 --no-policy', { fetch });
    expect((await commands.run('tenant delete acme --yes --json', { fetch })).json).toEqual([
      { tenant: 'acme', deleted: true },
    ]);
    expect(fetch.asked.slice(1)).toEqual([
      ['PUT /v1/tenants/acme', { title: 'Acme', policies: ['p', 'q'], limits: { records: 9 } }],
      ['GET /v1/tenants/acme'],
      [
        'PUT /v1/tenants/acme',
        { title: 'Acme', disabled: true, account: null, policies: [], limits: { records: 5, sessions: 2 } },
      ],
      ['DELETE /v1/tenants/acme'],
    ]);
    const conditions = fetch.sent.map(({ headers }) => headers['if-none-match'] ?? headers['if-match']);
    expect(conditions).toEqual([undefined, '*', undefined, '"7"', undefined]);
    expect(fetch.sent.some(({ headers }) => 'idempotency-key' in headers)).toBe(false);
  });
});

describe('client', () => {
  it('is listed by kind and group, in the tenant that is wanted', async () => {
    const page = { principals: [DASH, LAMP] };
    const fetch = scriptedService({
      'GET /v1/tenants/acme/principals?limit=100&group=first': page,
      'GET /v1/tenants/b/principals?limit=100': page,
    });
    const all = await commands.run('client list --tenant acme --group first --kind device --json', { fetch });
    expect(all.json).toMatchObject([{ principal: 'lamp' }]);
    await commands.run('context set home --tenant b');
    expect((await commands.run('client list', { fetch })).stdout.split('\n')).toHaveLength(4);
  });

  it('is shown with the ids of its keys, created, changed and deleted', async () => {
    const fetch = scriptedService({
      'GET /v1/principals/dash': DASH,
      'GET /v1/principals/dash/keys': { keys: [HELD] },
      'PUT /v1/principals/dash': [201, DASH],
      'DELETE /v1/principals/dash': [204, null],
    });
    expect((await commands.run('client show dash', { fetch })).stdout).toContain('keys     old\n');
    await commands.run('client create dash --role viewer --group a', { fetch });
    await commands.run('client update dash --no-role --policy p --enable', { fetch });
    expect((await commands.run('client delete dash', { fetch })).exit).toBe(EXIT.usage);
    expect((await commands.run('client delete dash --yes', { fetch })).exit).toBe(EXIT.done);
    expect(fetch.asked.slice(2)).toEqual([
      ['PUT /v1/principals/dash', { kind: 'service', roles: ['viewer'], groups: ['a'] }],
      ['GET /v1/principals/dash'],
      ['PUT /v1/principals/dash', { ...MEMBERS, roles: [], policies: ['p'] }],
      ['DELETE /v1/principals/dash'],
    ]);
  });

  it.each([
    ['client show nobody', EXIT.notFound],
    ['client create dash', EXIT.conflict],
    ['client delete dash --yes', EXIT.notAllowed],
    ['client update dash', EXIT.usage],
    ['client update dash --enable --disable', EXIT.usage],
    ['client create dash --kind robot', EXIT.usage],
    ['tenant create a --limit x', EXIT.usage],
  ])('%s ends with %d', async (line, exit) => {
    const fetch = scriptedService({
      'PUT /v1/principals/dash': problem(412, 'precondition-failed'),
      'DELETE /v1/principals/dash': problem(403, 'not-allowed'),
    });
    const ended = await commands.run(`${line} --json`, { fetch });
    expect([ended.exit, JSON.parse(ended.stderr)]).toMatchObject([exit, { error: { exit } }]);
  });
});

describe('client key', () => {
  const NEW = { id: 'new', key: `${KEY}NEW` };
  const file = () => join(commands.home, 'dash.key');

  it('goes into a file of its owner, and is said nowhere', async () => {
    const fetch = scriptedService({ 'POST /v1/principals/dash/keys': [201, NEW] });
    const made = await commands.run(`client key create dash --expires-in 90d --title wall --out ${file()} --json`, {
      fetch,
    });
    expect(made).toMatchObject({ exit: EXIT.done, json: [{ principal: 'dash', key: 'new', file: file() }] });
    expect(fetch.asked).toEqual([
      ['POST /v1/principals/dash/keys', { kind: 'secret', title: 'wall', expiresIn: 7_776_000 }],
    ]);
    expect([readFileSync(file(), 'utf8'), statSync(file()).mode & 0o777]).toEqual([`${NEW.key}\n`, 0o600]);
    expect(made.stdout + made.stderr).not.toContain('umk_');
  });

  it('replaces no file without --force, and asks for no key that it could not keep', async () => {
    writeFileSync(file(), 'precious', { mode: 0o644 });
    const fetch = scriptedService({ 'POST /v1/principals/dash/keys': [201, { id: 'UMB', secret: 'word' }] });
    expect(await commands.run(`client key create dash --out ${file()}`, { fetch })).toMatchObject({ exit: EXIT.usage });
    const nowhere = join(commands.home, 'none/dash.key');
    expect(await commands.run(`client key create dash --out ${nowhere}`, { fetch })).toMatchObject({
      ...{ exit: EXIT.usage, stderr: `umbra: ${nowhere} cannot be written (ENOENT)\n` },
    });
    expect([fetch.asked, readFileSync(file(), 'utf8')]).toEqual([[], 'precious']);
    await commands.run(`client key create dash --kind aws --force --out ${file()}`, { fetch });
    expect(readFileSync(file(), 'utf8')).toBe('[default]\naws_access_key_id = UMB\naws_secret_access_key = word\n');
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it('leaves no file behind when it is refused', async () => {
    const fetch = scriptedService({ 'POST /v1/principals/dash/keys': problem(403, 'not-allowed') });
    expect((await commands.run(`client key create dash --out ${file()}`, { fetch })).exit).toBe(EXIT.notAllowed);
    expect(existsSync(file())).toBe(false);
  });

  it('is told if it may have been made, or cannot be taken back', async () => {
    const lost = scriptedService({
      'POST /v1/principals/dash/keys': () => {
        throw new TypeError('fetch failed');
      },
    });
    const create = `client key create dash --tenant acme --out ${file()} --timeout 0.2`;
    const doubtful = await commands.run(create.replace(' --tenant acme', ''), { fetch: lost });
    expect([doubtful.exit, doubtful.stderr]).toEqual([
      EXIT.unknownOutcome,
      expect.stringMatching(/^umbra: dash may have a key now .*`umbra client key list dash`/),
    ]);
    const fetch = scriptedService({
      'POST /v1/tenants/acme/principals/dash/keys': () => {
        // Nothing can be put in the place of a folder.
        rmSync(file(), { force: true });
        mkdirSync(file());
        return [201, NEW];
      },
      'DELETE /v1/tenants/acme/principals/dash/keys/new': problem(403, 'not-allowed'),
    });
    writeFileSync(file(), 'old');
    const left = await commands.run(`${create} --force`, { fetch });
    expect([left.exit, left.stderr.split('\n')]).toEqual([
      EXIT.failed,
      [
        'umbra: the key new is in no file and still holds (not-allowed.): ' +
          'take it back with `umbra client key revoke dash new --tenant acme`',
        `umbra: ${file()} cannot be written (EISDIR)`,
        '',
      ],
    ]);
  });

  it('of a device that is created may fail, which is told with how to go on', async () => {
    const fetch = scriptedService({
      'PUT /v1/tenants/acme/principals/lamp': [201, LAMP],
      'POST /v1/tenants/acme/principals/lamp/keys': problem(403, 'not-allowed'),
    });
    const ended = await commands.run(`device create lamp --tenant acme --key-out ${file()} --json`, { fetch });
    const told = ended.stderr.split('\n').map((each) => JSON.parse(each || 'null') as unknown);
    expect([ended.exit, told]).toMatchObject([
      EXIT.notAllowed,
      [
        {
          warning: {
            code: 'half-done',
            message: expect.stringContaining(`\`umbra device key lamp --out ${file()} --tenant acme\``),
          },
        },
        { error: { exit: EXIT.notAllowed } },
        null,
      ],
    ]);
  });

  it.each(['--context prod', '--server http://prod.test --key-file KEY'])(
    'of a device is made or taken back by what is advised at the same service: %s',
    async (target) => {
      const key = join(commands.home, 'prod.key');
      writeFileSync(key, KEY);
      writeFileSync(file(), 'old');
      await commands.run(`context set prod --server http://prod.test --key-file ${key}`);
      await commands.run('context use home');
      const fetch = scriptedService({
        'PUT /v1/principals/lamp': [201, LAMP],
        'POST /v1/principals/lamp/keys': () => (fetch.asked.length < 3 ? problem(403, 'not-allowed') : [201, NEW]),
        'GET /v1/principals/lamp': LAMP,
        'DELETE /v1/principals/lamp': [204, null],
      });
      const line = `${target.replace('KEY', key)} device create lamp --key-out ${file()} --force`;
      const { stderr } = await commands.run(line, { fetch });
      for (const [, advised] of stderr.matchAll(/`umbra ([^`]+)`/g))
        expect(await commands.run(`${advised} --yes`, { fetch })).toMatchObject({ exit: EXIT.done, stderr: '' });
      expect(fetch.asked.map(([route]) => route)).toEqual([
        ...['PUT /v1/principals/lamp', 'POST /v1/principals/lamp/keys', 'POST /v1/principals/lamp/keys'],
        ...['GET /v1/principals/lamp', 'DELETE /v1/principals/lamp'],
      ]);
      expect(new Set(fetch.sent.map(({ url }) => new URL(url).host))).toEqual(new Set(['prod.test']));
    },
  );

  it('is rotated like the old one, which is revoked then', async () => {
    const fetch = scriptedService({
      'GET /v1/principals/dash/keys': { keys: [HELD] },
      'POST /v1/principals/dash/keys': [201, NEW],
      'DELETE /v1/principals/dash/keys/old': [204, null],
    });
    const line = `client key rotate dash --out ${file()}`;
    expect((await commands.run(line, { fetch })).exit).toBe(EXIT.usage);
    expect(existsSync(file())).toBe(false);
    const { exit, json } = await commands.run(`${line} --yes --json`, { fetch });
    expect([exit, json]).toEqual([EXIT.done, [{ principal: 'dash', key: 'new', file: file(), revoked: 'old' }]]);
    expect(fetch.asked.slice(2)).toEqual([
      ['POST /v1/principals/dash/keys', { kind: 'secret', title: 'wall', expiresIn: 86_400 }],
      ['DELETE /v1/principals/dash/keys/old'],
    ]);
  });

  it('is chosen by its id among several', async () => {
    const fetch = scriptedService({ 'GET /v1/principals/dash/keys': { keys: [HELD, { ...HELD, id: 'other' }] } });
    const ended = await commands.run(`client key rotate dash --yes --out ${file()}`, { fetch });
    expect([ended.exit, ended.stderr]).toEqual([EXIT.failed, expect.stringContaining('old, other')]);
    expect((await commands.run(`client key rotate dash x --yes --out ${file()}`, { fetch })).exit).toBe(EXIT.notFound);
    expect((await commands.run('client key list dash', { fetch })).stdout).toContain('other  secret  wall');
    expect((await commands.run('client key revoke dash old --yes', { fetch })).exit).toBe(EXIT.notFound);
  });
});

describe('client certificate', () => {
  it('is revoked by its file or its SHA-256, and restored', async () => {
    const { pem, der } = issueAuthority();
    const { createHash } = await import('node:crypto');
    const id = createHash('sha256').update(der).digest('hex');
    const file = join(commands.home, 'lamp.crt');
    writeFileSync(file, pem);
    const revocation = { kind: 'certificate', id, reason: 'lost', revokedAt: 'now', revokedBy: 'ada' };
    const fetch = scriptedService({
      [`PUT /v1/revocations/certificate/${id}`]: [201, revocation],
      [`DELETE /v1/revocations/certificate/${id}`]: [204, null],
      'GET /v1/revocations?limit=100': { revocations: [revocation] },
    });
    await commands.run(`client certificate revoke ${file} --reason lost --yes`, { fetch });
    await commands.run(`client certificate restore ${id.toUpperCase().match(/../g)!.join(':')}`, { fetch });
    expect(fetch.asked.map(([route]) => route)).toHaveLength(2);
    expect((await commands.run('client certificate list --json', { fetch })).json).toEqual([revocation]);
    writeFileSync(file, 'no certificate');
    expect((await commands.run(`client certificate revoke ${file} --yes`, { fetch })).exit).toBe(EXIT.usage);
  });
});
