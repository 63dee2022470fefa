import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '../../../test/harness/x509.js';
import { checkAuthority, type AuthorityRecord } from '../../auth/certificates/authority.js';
import { CaRegistry } from '../../auth/certificates/ca-registry.js';
import { checkDevice } from '../../auth/certificates/device-certificate.js';
import { checkPossession } from '../../auth/certificates/possession.js';
import { Revocations } from '../../auth/certificates/revocations.js';
import { EXIT } from '../exit-code.js';
import { Commands } from '../testing/commands.js';
import { problem, scriptedService } from '../testing/service.js';

const CODE = `umbra.authority.${'0a'.repeat(20)}`;

let commands: Commands;
let at: (name: string) => string;
beforeEach(async () => {
  commands = new Commands();
  at = (name) => join(commands.home, name);
  await commands.run('context set home --server http://umbra.test');
});
afterEach(() => commands.remove());

const read = (name: string): string => readFileSync(at(name), 'utf8');
const recordOf = (pem: string, nameFrom: AuthorityRecord['nameFrom'] = 'commonName'): AuthorityRecord => ({
  ...{ tenant: 'acme', pem, nameFrom, isDisabled: false, registersAtFirstSight: false, registeredAtMs: 1 },
});
/** How the service knows who shows the certificate: its thing, or why it is refused. */
function thingOf(name: string, nameFrom?: AuthorityRecord['nameFrom']): string {
  const authorities = CaRegistry.of([recordOf(read('ca.crt'), nameFrom)]);
  const trust = { authorities, revocations: Revocations.of([]), skewMs: 0 };
  const check = checkDevice(new X509Certificate(read(name)), trust, Date.now());
  return check.kind === 'device' ? check.device.thing : check.fault.reason;
}
/** Runs the words of a line, in which `@name` is a file of this test. */
const run = (line: string, given?: Parameters<Commands['run']>[1]) =>
  commands.run(
    line.split(' ').map((word) => word.replace(/^@(.*)/, (_, name: string) => at(name))),
    given,
  );
const createAuthority = () =>
  commands.run([
    ...['ca', 'create', '--name', 'Acme devices', '--organization', 'Acmé', '--json'],
    ...['--out', at('ca.crt'), '--key-out', at('ca.key')],
  ]);

describe('ca', () => {
  it('is made as the service takes it, with a key for its owner alone', async () => {
    const made = await createAuthority();
    expect([made.exit, made.json]).toMatchObject([EXIT.done, [{ file: at('ca.crt'), key: at('ca.key') }]]);
    expect(checkAuthority(recordOf(read('ca.crt')), Date.now()).caId).toBe(
      (made.json[0] as { authority: string }).authority,
    );
    expect([statSync(at('ca.key')).mode & 0o777, made.stdout.includes('PRIVATE KEY')]).toEqual([0o600, false]);
    const before = read('ca.key');
    expect(await createAuthority()).toMatchObject({ exit: EXIT.usage });
    expect(read('ca.key')).toBe(before);
  });

  it('is registered with the proof that its key is here, or elsewhere', async () => {
    const id = ((await createAuthority()).json[0] as { authority: string }).authority;
    const view = { authority: id, nameFrom: 'commonName', disabled: false, registersAtFirstSight: true };
    const full = { ...view, pem: read('ca.crt'), key: 'k', notAfter: 'n', policies: [], createdAt: 'c', fault: null };
    const fetch = scriptedService({
      [`PUT /v1/authorities/${id}`]: ({ body }) =>
        'proof' in (JSON.parse(body!) as object)
          ? [201, full]
          : problem(400, 'invalid-request', { detail: `Prove it: ${CODE}, and send that` }),
      [`GET /v1/authorities/${id}`]: full,
      [`DELETE /v1/authorities/${id}`]: [204, null],
      'GET /v1/authorities?limit=100': { authorities: [full] },
    });
    const proved = (index: number): void => {
      const { proof, ...members } = fetch.asked[index]![1] as { proof: string };
      expect(members).toEqual({ pem: read('ca.crt'), registersAtFirstSight: true });
      checkPossession(checkAuthority(recordOf(read('ca.crt')), Date.now()), proof, CODE);
    };
    const made = await run('ca register @ca.crt --ca-key @ca.key --first-sight', { fetch });
    expect([made.exit, made.stdout]).toEqual([
      EXIT.done,
      expect.stringContaining('name         O=Acmé, CN=Acme devices\n'),
    ]);
    proved(1);
    const refused = await run('ca register @ca.crt', { fetch });
    expect([refused.exit, refused.stderr]).toEqual([
      EXIT.failed,
      expect.stringContaining(`umbra ca prove ${CODE} --ca`),
    ]);
    await run(`ca prove ${CODE} --ca @ca.crt --ca-key @ca.key --out @proof.pem`);
    await run('ca register @ca.crt --proof @proof.pem --first-sight', { fetch });
    proved(3);
    expect((await run('ca list --json', { fetch })).json).toEqual([full]);
    await run('ca update @ca.crt --no-first-sight --disable', { fetch });
    expect(fetch.asked.at(-1)![1]).toEqual({
      ...{ nameFrom: 'commonName', disabled: true, registersAtFirstSight: false, policies: [] },
    });
    expect((await run(`ca show ${id}`, { fetch })).exit).toBe(EXIT.done);
    expect((await run(`ca remove ${id}`, { fetch })).exit).toBe(EXIT.usage);
    expect((await run(`ca remove ${id} --yes`, { fetch })).exit).toBe(EXIT.done);
  });

  it('leaves the old key where the new certificate cannot be written, and puts no two things into one file', async () => {
    await createAuthority();
    const before = read('ca.key');
    mkdirSync(at('folder'));
    const line = 'ca create --name Acme --force --key-out @ca.key --out';
    expect(await run(`${line} @folder`)).toMatchObject({ exit: EXIT.usage, stderr: expect.stringContaining('folder') });
    expect(await run(`${line} @ca.key`)).toMatchObject({
      exit: EXIT.usage,
      stderr: expect.stringContaining('two things'),
    });
    expect(read('ca.key')).toBe(before);
  });

  it.each([
    ['--name', ''],
    ['--name', '  '],
    ['--name', 'é'.repeat(65)],
    ['--organization', ''],
    ['--organization', 'o'.repeat(65)],
  ])('has no %s %j', async (option, name) => {
    const names = option === '--name' ? [option, name] : ['--name', 'Acme', option, name];
    const line = ['ca', 'create', ...names, '--out', at('ca.crt'), '--key-out', at('ca.key')];
    const { exit, stderr } = await commands.run(line);
    expect([exit, stderr]).toEqual([EXIT.usage, expect.stringContaining('has 1 to 64 characters')]);
    expect([existsSync(at('ca.crt')), existsSync(at('ca.key'))]).toEqual([false, false]);
  });

  it('may have a name of 64 characters', async () => {
    const name = '\u{1f600}'.repeat(64);
    await commands.run(['ca', 'create', '--name', name, '--out', at('ca.crt'), '--key-out', at('ca.key')]);
    expect(new X509Certificate(read('ca.crt')).subject).toBe(`CN=${name}`);
  });

  it.each([true, false])('keeps registersAtFirstSight: %s unless it is given', async (registersAtFirstSight) => {
    const id = 'ab'.repeat(32);
    const record = { nameFrom: 'dnsName', disabled: false, registersAtFirstSight, policies: ['p'] };
    const view = { ...record, authority: id, pem: '', key: null, notAfter: 'n', createdAt: 'c', fault: null };
    const fetch = scriptedService({ [`GET /v1/authorities/${id}`]: view, [`PUT /v1/authorities/${id}`]: view });
    expect((await run(`ca update ${id}`, { fetch })).exit).toBe(EXIT.usage);
    expect(fetch.asked).toEqual([]);
    expect((await run(`ca update ${id} --disable`, { fetch })).exit).toBe(EXIT.done);
    expect(fetch.asked.at(-1)).toEqual([`PUT /v1/authorities/${id}`, { ...record, disabled: true }]);
    await run(`ca update ${id} --first-sight`, { fetch });
    expect(fetch.asked.at(-1)![1]).toEqual({ ...record, registersAtFirstSight: true });
  });

  it('is refused with the place of what is wrong, before anything is sent', async () => {
    await createAuthority();
    writeFileSync(at('broken.crt'), read('ca.crt').replace(/\nMI/, '\n%I'));
    writeFileSync(at('two.crt'), `${read('ca.crt')}${read('ca.crt')}`);
    writeFileSync(at('other.key'), x509.issueAuthority().key);
    writeFileSync(at('none.crt'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const lines: readonly [string, string][] = [
      ['ca register @ca.key', 'ca.key:1:1: this is a PRIVATE KEY, and a CERTIFICATE is wanted'],
      ['ca register @broken.crt', 'broken.crt:2:1: this is no character of base64'],
      ['ca register @two.crt', 'there is more than one block'],
      ['ca register @none.crt', 'none.crt:1:1: this is no certificate'],
      ['ca register @ca.crt --ca-key @ca.crt', 'ca.crt:1:1: there is no private key in PEM'],
      ['ca register @ca.crt --ca-key @other.key', 'other.key is not the private key of '],
      ['ca show 00', '00 cannot be read (ENOENT)'],
    ];
    for (const [line, message] of lines)
      expect(await run(line)).toMatchObject({ exit: EXIT.usage, stderr: expect.stringContaining(message) as string });
  });

  it('asks for the pass phrase of its key on a terminal, and takes it from a file elsewhere', async () => {
    await createAuthority();
    const key = createPrivateKey(read('ca.key'));
    const sealed = { format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'open it' } as const;
    writeFileSync(at('ca.key'), key.export(sealed));
    const line = 'device cert lamp --ca @ca.crt --ca-key @ca.key --out @lamp.crt --key-out @lamp.key --force';
    expect(await run(line)).toMatchObject({
      exit: EXIT.usage,
      stderr: expect.stringContaining('--passphrase-file') as string,
    });
    expect((await run(line, { answers: { secret: () => Promise.resolve('wrong') } })).exit).toBe(EXIT.usage);
    expect(existsSync(at('lamp.key'))).toBe(false);
    expect((await run(line, { answers: { secret: () => Promise.resolve('open it') } })).exit).toBe(EXIT.done);
    expect((await run(`${line} --passphrase-file -`, { stdin: 'open it\n' })).exit).toBe(EXIT.done);
  });
});

describe('device cert', () => {
  const issueFor = (thing: string, more = '') =>
    run(`device cert ${thing} --ca @ca.crt --ca-key @ca.key --out @lamp.crt --force ${more}`.trim());

  it.each([
    ['commonName', 'lamp:1'],
    ['dnsName', 'lamp-1'],
    ['uri', `lamp${'x'.repeat(120)}`],
  ] as const)('has the name of its thing as %s', async (nameFrom, thing) => {
    await createAuthority();
    const { exit, stdout } = await issueFor(thing, `--key-out @lamp.key --name-from ${nameFrom}`);
    expect([exit, stdout.includes('PRIVATE')]).toEqual([EXIT.done, false]);
    expect(thingOf('lamp.crt', nameFrom)).toBe(thing);
    expect(new X509Certificate(read('lamp.crt')).checkPrivateKey(createPrivateKey(read('lamp.key')))).toBe(true);
    expect(statSync(at('lamp.key')).mode & 0o777).toBe(0o600);
  });

  it('takes the key of a request, whose owner has it', async () => {
    await createAuthority();
    expect((await run('device csr lamp --out @lamp.csr --key-out @lamp.key')).exit).toBe(EXIT.done);
    expect((await issueFor('lamp', '--csr @lamp.csr')).exit).toBe(EXIT.done);
    expect(thingOf('lamp.crt')).toBe('lamp');
    const { publicKey } = new X509Certificate(read('lamp.crt'));
    expect(publicKey.equals(createPublicKey(read('lamp.key')))).toBe(true);
    expect(await issueFor('other', '--csr @lamp.csr')).toMatchObject({
      ...{
        exit: EXIT.usage,
        stderr: expect.stringContaining('lamp.csr:1:1: the request is for "lamp", not for other') as string,
      },
    });
    // The signature covers every byte of it.
    const [begin, body, ...rest] = read('lamp.csr').split('\n');
    writeFileSync(
      at('lamp.csr'),
      [begin, body!.replace(/.(?=.{20}$)/, (each) => (each === 'A' ? 'B' : 'A')), ...rest].join('\n'),
    );
    expect((await issueFor('lamp', '--csr @lamp.csr')).stderr).toMatch(
      /lamp\.csr:1:1: (the signature of the request is wrong|this is no request)/,
    );
  });

  it.each(['P-384', 'P-521', 'RSA'])(
    'is signed by an authority with %s that another program has made',
    async (kind) => {
      const keys =
        kind === 'RSA'
          ? generateKeyPairSync('rsa', { modulusLength: 2048 })
          : generateKeyPairSync('ec', { namedCurve: kind });
      const ca = x509.issueAuthority({ keys, notAfter: Date.now() + 10 * 86_400_000 });
      writeFileSync(at('ca.crt'), `bag attributes\n${ca.pem}`);
      writeFileSync(at('ca.key'), ca.key);
      expect(await issueFor('lamp', '--key-out @lamp.key')).toMatchObject({
        ...{ exit: EXIT.usage, stderr: expect.stringContaining('give fewer --days') as string },
      });
      expect((await issueFor('lamp', '--key-out @lamp.key --days 9')).exit).toBe(EXIT.done);
      writeFileSync(at('ca.crt'), ca.pem);
      expect(thingOf('lamp.crt')).toBe('lamp');
    },
  );

  it('is refused for what cannot issue it', async () => {
    await createAuthority();
    await issueFor('lamp', '--key-out @lamp.key');
    const notAuthority = 'device cert x --ca @lamp.crt --ca-key @lamp.key --out @x.crt --key-out @x.key';
    expect((await run(notAuthority)).stderr).toContain('is not one of an authority');
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    writeFileSync(at('weak.key'), weak.export({ format: 'pem', type: 'pkcs8' }));
    const lines = [
      'x y',
      'x --csr @lamp.crt',
      'x --csr @lamp.crt --key-out @x',
      `${'x'.repeat(65)} --key-out @x.key`,
      'a.b --key-out @x.key',
    ];
    for (const line of lines) expect((await issueFor(line)).exit).toBe(EXIT.usage);
    expect((await run('device cert x --ca @ca.crt --ca-key @weak.key --out @x.crt --key-out @x.key')).exit).toBe(
      EXIT.usage,
    );
    expect(existsSync(at('x.key'))).toBe(false);
  });
});

describe('device', () => {
  const LAMP = {
    ...{
      principal: 'lamp',
      kind: 'device',
      disabled: false,
      thing: 'lamp',
      thingType: null,
      attributes: { room: 'a' },
    },
    ...{ roles: ['device'], policies: [], groups: [], createdAt: 'c' },
  };

  it('is created with its thing and a key in a file', async () => {
    const fetch = scriptedService({
      'PUT /v1/principals/lamp': [201, LAMP],
      'POST /v1/principals/lamp/keys': [201, { id: 'k1', key: 'umk_secret' }],
    });
    const { json, exit } = await run('device create lamp --attribute room=a --key-out @lamp.key --json', { fetch });
    expect([exit, json]).toEqual([EXIT.done, [{ ...LAMP, key: 'k1', file: at('lamp.key') }]]);
    expect([fetch.asked[0]![1], read('lamp.key')]).toEqual([
      { kind: 'device', thing: 'lamp', attributes: { room: 'a' }, roles: ['device'] },
      'umk_secret\n',
    ]);
    expect((await run('device create lamp --key-out @lamp.key', { fetch })).exit).toBe(EXIT.usage);
    expect(fetch.asked).toHaveLength(2);
    expect((await run('device key lamp --out @second.key', { fetch })).exit).toBe(EXIT.done);
  });

  it('loses all its credentials, or one certificate, and gets back what can come back', async () => {
    const id = 'ab'.repeat(32);
    const fetch = scriptedService({
      'GET /v1/principals/lamp': LAMP,
      'GET /v1/principals/lamp/keys': { keys: [{ id: 'k1' }, { id: 'k2' }] },
      'PUT /v1/revocations/thing/lamp': [201, {}],
      'DELETE /v1/revocations/thing/lamp': [204, null],
      [`PUT /v1/revocations/certificate/${id}`]: [201, {}],
      'DELETE /v1/principals/lamp/keys/k1': [204, null],
      'DELETE /v1/principals/lamp/keys/k2': [204, null],
    });
    expect((await run('device revoke lamp', { fetch })).exit).toBe(EXIT.usage);
    const { stdout } = await run('device revoke lamp --yes --reason lost', { fetch });
    expect(stdout).toBe('2 keys of lamp are revoked, and all certificates of lamp\n');
    expect(fetch.asked).toContainEqual(['PUT /v1/revocations/thing/lamp', { reason: 'lost' }]);
    await run(`device revoke lamp --yes --certificate ${id}`, { fetch });
    expect(fetch.asked.at(-1)).toEqual([`PUT /v1/revocations/certificate/${id}`, { reason: '' }]);
    expect((await run('device restore lamp --json', { fetch })).json).toMatchObject([{ restored: true }]);
    expect((await run('device list', { fetch })).exit).toBe(EXIT.notFound);
  });

  it('is not revoked by a slip in its name, unless it is said to be deleted', async () => {
    const fetch = scriptedService({ 'PUT /v1/revocations/thing/lmap': [201, {}] });
    const slip = await run('device revoke lmap --yes', { fetch });
    expect([slip.exit, slip.stdout, slip.stderr]).toEqual([
      EXIT.notFound,
      '',
      expect.stringContaining('there is no device lmap. If it was deleted, --deleted'),
    ]);
    expect(fetch.asked).toEqual([['GET /v1/principals/lmap']]);
    const deleted = await run('device revoke lmap --deleted --yes', { fetch });
    expect([deleted.exit, deleted.stdout]).toEqual([
      EXIT.done,
      '0 keys of lmap are revoked, and all certificates of lmap\n',
    ]);
  });

  it('gets back no certificates by a slip in its name, unless it is said to be deleted', async () => {
    const fetch = scriptedService({ 'DELETE /v1/revocations/thing/lmap': [204, null] });
    const slip = await run('device restore lmap', { fetch });
    expect([slip.exit, slip.stderr]).toEqual([
      EXIT.notFound,
      expect.stringContaining('there is no device lmap. If it was deleted, --deleted'),
    ]);
    expect(fetch.asked).toEqual([['GET /v1/principals/lmap']]);
    expect((await run('device restore lmap --deleted', { fetch })).exit).toBe(EXIT.done);
    expect(fetch.asked.at(-1)).toEqual(['DELETE /v1/revocations/thing/lmap']);
  });

  it('gets back no certificates without a thing: the thing of its name may be of another device', async () => {
    const fetch = scriptedService({
      'GET /v1/principals/lamp': { ...LAMP, thing: null },
      'DELETE /v1/revocations/thing/lamp': [204, null],
    });
    const ended = await run('device restore lamp', { fetch });
    expect([ended.exit, ended.stderr]).toEqual([EXIT.notFound, 'umbra: lamp has no thing, and so no certificates\n']);
    expect(fetch.asked).toEqual([['GET /v1/principals/lamp']]);
  });

  it.each(['show ada', 'update ada --disable', 'delete ada --yes', 'revoke ada --yes', 'restore ada'])(
    'is no person: %s',
    async (line) => {
      const fetch = scriptedService({ 'GET /v1/principals/ada': { ...LAMP, principal: 'ada', kind: 'person' } });
      const { exit, stderr } = await run(`device ${line}`, { fetch });
      expect([exit, stderr]).toEqual([EXIT.notFound, 'umbra: ada is a person and no device: see `umbra client`\n']);
      expect(fetch.asked).toEqual([['GET /v1/principals/ada']]);
    },
  );
});
