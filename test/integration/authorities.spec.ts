import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fingerprintOf } from '../../src/auth/certificates/fingerprint.js';
import { CertifiedNode, codeIn } from '../harness/certified-node.js';
import { runCommand, type CommandRun } from '../harness/command.js';
import type { Asked } from '../harness/secure-node.js';
import { until } from '../harness/until.js';
import * as x509 from '../harness/x509.js';

let certified: CertifiedNode;
let chief: string;
let viewer: string;
beforeAll(async () => {
  certified = await CertifiedNode.start();
  const { node } = certified;
  await node.ask('PUT', '/v1/tenants/other', node.admin, {});
  chief = await node.make('chief', { kind: 'person', roles: ['tenant-admin'] });
  viewer = await node.make('viewer', { kind: 'person', roles: ['viewer'] });
});
afterAll(() => certified.stop());

const put = (path: string, body: object, key = certified.node.admin, headers = {}): Promise<Asked> =>
  certified.node.ask('PUT', path, key, body, headers);
const colons = (fingerprint: string): string => fingerprint.toUpperCase().replace(/..(?!$)/g, '$&:');

describe('an authority', () => {
  it('is registered with a proof for its tenant, read in any writing, changed and deleted', async () => {
    const ca = certified.authority();
    const [path, elsewhere] = [certified.path(ca), certified.path(ca, 'other')];
    const { pem } = ca;
    const [code, other] = [codeIn(await put(path, { pem })), codeIn(await put(elsewhere, { pem }))];
    expect(other).not.toBe(code);
    for (const proof of [certified.device(ca, other), certified.device(null, code), certified.device(ca, [code, 'a'])])
      expect((await put(path, { pem, proof: proof.pem })).status).toBe(400);
    const proof = certified.device(ca, code).pem;
    expect((await put(elsewhere, { pem, proof })).status).toBe(400);
    const made = await put(path, { pem, proof, nameFrom: 'dnsName' }, chief);
    expect([made.status, made.body]).toEqual([
      201,
      expect.objectContaining({
        authority: fingerprintOf(ca.der),
        pem,
        nameFrom: 'dnsName',
        disabled: false,
        fault: null,
      }),
    ]);
    // Its key is taken now, which only its owner learns.
    expect((await put(elsewhere, { pem })).body.detail).toMatch(/^Prove that you have its key/);
    expect((await put(elsewhere, { pem, proof: certified.device(ca, other).pem })).body.detail).toMatch(
      /another tenant/,
    );
    const { admin, ask } = certified.node;
    expect((await ask('GET', `/v1/authorities/${colons(fingerprintOf(ca.der))}`, admin)).body).toEqual(made.body);
    expect((await ask('GET', '/v1/authorities', viewer)).status).toBe(403);
    expect((await ask('GET', '/v1/authorities', chief)).body).toEqual({ authorities: [made.body] });
    expect((await ask('GET', '/v1/tenants/other/authorities', admin)).body).toEqual({ authorities: [] });
    expect((await ask('GET', '/v1/tenants/other/authorities', chief)).status).toBe(403);
    expect((await put(path, { disabled: true })).status).toBe(412);
    const match = { 'if-match': made.headers.get('etag')! };
    const changed = await put(path, { disabled: true }, chief, match);
    expect([changed.status, changed.body.disabled, changed.body.pem]).toEqual([200, true, pem]);
    expect((await put(path, { pem: certified.authority().pem }, chief, { 'if-match': '*' })).status).toBe(400);
    expect((await ask('DELETE', path, chief)).status).toBe(204);
    expect((await ask('GET', path, chief)).status).toBe(404);
  });

  it.each<[string, (ca: x509.Issued) => object, RegExp]>([
    ['without a certificate', () => ({}), /pem is missing/],
    ['with another certificate', () => ({ pem: certified.authority().pem }), /The SHA-256 of the certificate is/],
    ['with its private key', ({ pem, key }) => ({ pem: pem + key }), /private key/],
    ['with a policy that does not exist', ({ pem }) => ({ pem, policies: ['none'] }), /no policy 'none'/],
    ['with a role as its policy', ({ pem }) => ({ pem, policies: ['role:admin'] }), /no policy 'role:admin'/],
    ['with a member that only the service sets', ({ pem }) => ({ pem, registeredAtMs: 1 }), /set by the service/],
    ['with an unknown member', ({ pem }) => ({ pem, trusted: true }), /trusted/],
    ['with a proof that is none', ({ pem }) => ({ pem, proof: 'x' }), /exactly one certificate/],
  ])('%s is refused', async (_what, members, reason) => {
    const ca = certified.authority();
    const { status, body } = await put(certified.path(ca), members(ca), chief);
    expect([status, body.detail]).toEqual([expect.any(Number), expect.stringMatching(reason)]);
    expect(status).toBeGreaterThanOrEqual(400);
    expect((await certified.node.ask('GET', certified.path(ca), chief)).status).toBe(404);
  });

  it.each<[string, () => x509.Issued, RegExp]>([
    ['has expired', () => certified.authority({ notAfter: certified.node.clock.now() - 1000 }), /expired/],
    ['is none', () => certified.device(null, 'lamp', { extensions: [x509.basicConstraints(false)] }), /CA:TRUE/],
    ['has a short key', () => certified.authority({ keys: x509.rsaKeys(1024) }), /2048/],
  ])('that %s is refused', async (_what, made, reason) => {
    const ca = made();
    expect((await put(certified.path(ca), { pem: ca.pem })).body.detail).toMatch(reason);
  });

  it('keeps its tenant from being deleted', async () => {
    const { admin, ask } = certified.node;
    await put('/v1/tenants/short', {});
    const ca = certified.authority();
    await certified.register(ca, {}, 'short');
    expect((await ask('DELETE', '/v1/tenants/short', admin)).body.detail).toMatch(/still has a authority|still has an/);
    await ask('DELETE', certified.path(ca, 'short'), admin);
    expect((await ask('DELETE', '/v1/tenants/short', admin)).status).toBe(204);
  });
});

describe('a revocation', () => {
  it('is made twice, listed in pages, and taken back', async () => {
    const { ask, admin } = certified.node;
    const fingerprint = 'ab'.repeat(32);
    const [one, two] = [`/v1/revocations/certificate/${fingerprint}`, `/v1/revocations/thing/${fingerprint}`];
    const first = await put(`/v1/revocations/certificate/${colons(fingerprint)}`, { reason: 'lost' }, chief);
    expect([first.status, first.body]).toMatchObject([
      201,
      { kind: 'certificate', id: fingerprint, revokedBy: 'chief' },
    ]);
    const again = await put(one, { reason: 'stolen' });
    expect([again.status, again.body]).toEqual([200, { ...first.body, reason: 'stolen' }]);
    expect((await put(two, {})).status).toBe(201);
    const page = await ask('GET', '/v1/revocations?limit=1', chief);
    const rest = await ask('GET', `/v1/revocations?after=${page.body.next as string}`, chief);
    const kinds = [page, rest].map(({ body }) => (body.revocations as { kind: string }[]).map(({ kind }) => kind));
    expect(kinds).toEqual([['certificate'], ['thing']]);
    expect((await ask('DELETE', one, viewer)).status).toBe(403);
    expect((await ask('DELETE', one, chief)).status).toBe(204);
    expect((await ask('DELETE', one, admin)).status).toBe(404);
  });

  it.each<[string, string, object, RegExp]>([
    ['of another kind', 'people/ann', {}, /certificate, thing or authority/],
    ['of no fingerprint', 'certificate/abc', {}, /SHA-256/],
    ['of no thing', 'thing/a.b', {}, /Name 3/],
    ['of an unknown authority', `authority/${'cd'.repeat(32)}`, {}, /no authority with this key/],
    ['with an unknown member', 'thing/lamp', { until: 1 }, /no "until"/],
    ['with a long reason', 'thing/lamp', { reason: 'x'.repeat(2000) }, /reason/],
  ])('%s is refused', async (_what, path, body, reason) => {
    const answer = await put(`/v1/revocations/${path}`, body, chief);
    expect([answer.status, answer.body.detail]).toEqual([400, expect.stringMatching(reason)]);
  });

  it('of an authority names its key', async () => {
    const ca = certified.authority();
    const { body } = await certified.register(ca);
    const { detail } = (await put(`/v1/revocations/authority/${fingerprintOf(ca.der)}`, {})).body as { detail: string };
    expect(detail).toContain(body.key);
    // Of the other tenant it is not known.
    expect((await put(`/v1/tenants/other/revocations/authority/${body.key as string}`, {})).status).toBe(400);
  });
});

describe('first sight', () => {
  it('registers a device once, with the policies of its authority, and never one that is disabled', async () => {
    const { node } = certified;
    const document = { Version: '2012-10-17', Statement: [] as object[] };
    document.Statement.push({ Effect: 'Allow', Action: 'umbra:ListThings', Resource: '*' });
    expect((await put('/v1/policies/fleet', document)).status).toBe(201);
    const ca = certified.authority();
    await certified.register(ca, { registersAtFirstSight: true, policies: ['fleet'] });
    expect((await certified.node.ask('DELETE', '/v1/policies/fleet', chief)).status).toBe(400);
    const shown = certified.device(ca, 'sensor-1');
    const asked = Array.from({ length: 5 }, () => certified.https('GET', '/v1/things', shown));
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const { body, headers } = await node.ask('GET', '/v1/principals/sensor-1', node.admin);
    expect(body).toMatchObject({ kind: 'device', thing: 'sensor-1', roles: ['device'], policies: ['fleet'] });
    const kept = await node.ask('GET', '/v1/audit?target=/v1/tenants/default/principals/sensor-1', node.admin);
    expect(JSON.stringify(kept.body)).toContain(`certificate:${fingerprintOf(shown.der)}`);
    const client = await certified.connect('sensor-2', certified.device(ca, 'sensor-2'));
    expect((await node.ask('GET', '/v1/principals/sensor-2', node.admin)).status).toBe(200);
    await client.endAsync();
    const disabled = { ...body, principal: undefined, createdAt: undefined, disabled: true };
    await put('/v1/principals/sensor-1', disabled, node.admin, { 'if-match': headers.get('etag')! });
    expect((await certified.https('GET', '/v1/things', shown)).status).toBe(401);
    await put('/v1/revocations/thing/sensor-3', {});
    expect((await certified.https('GET', '/v1/things', certified.device(ca, 'sensor-3'))).status).toBe(401);
    expect((await node.ask('GET', '/v1/principals/sensor-3', node.admin)).status).toBe(404);
  });
});

describe('UMBRA_TLS_CA', () => {
  it('still lets nobody else begin, while the doors judge by the authorities of tenants', async () => {
    const ca = x509.issueAuthority({ notBefore: 1_699_900_000_000, notAfter: Date.now() + 86_400_000 });
    const dir = mkdtempSync(join(tmpdir(), 'umbra-tls-ca-'));
    writeFileSync(join(dir, 'ca.crt'), ca.pem);
    const gated = await CertifiedNode.start({ environment: { UMBRA_TLS_CA: join(dir, 'ca.crt') } });
    try {
      const long = { notBefore: 1_699_900_000_000, notAfter: Date.now() + 86_400_000 };
      const lamp = gated.device(ca, 'lamp', long);
      await gated.node.make('lamp', { thing: 'lamp', roles: ['device'] });
      await expect(gated.connect('lamp', null, TLS_1_2)).rejects.not.toHaveProperty('code', 0x86);
      await expect(gated.connect('lamp', lamp, TLS_1_2)).rejects.toHaveProperty('code', 0x86);
      await gated.register(ca);
      await (await gated.connect('lamp', lamp, TLS_1_2)).endAsync();
    } finally {
      await gated.stop();
      rmSync(dir, { recursive: true });
    }
  });
});

/** Whose client knows at the end of the handshake whether it was refused. */
const TLS_1_2 = { maxVersion: 'TLSv1.2' } as const;

describe('the program umbra', () => {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-devices-'));
  const at = (name: string): string => join(folder, name);
  const runs: CommandRun[] = [];
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Words with @ before them are files. */
  async function umbra(line: string, stdin = ''): Promise<CommandRun> {
    const words = line.split(' ').map((word) => word.replace(/^@(.*)/, (_, name: string) => at(name)));
    const ended = await runCommand(words, folder, { stdin });
    runs.push(ended);
    return ended;
  }
  const exits = async (...lines: string[]): Promise<(number | null)[]> => {
    const codes: (number | null)[] = [];
    for (const line of lines) codes.push((await umbra(line)).exit);
    return codes;
  };
  const shown = async (line: string): Promise<object[]> =>
    (await umbra(`${line} --json`)).stdout
      .split('\n')
      .filter(Boolean)
      .map((text) => JSON.parse(text) as object);

  it('gives a device its certificate and takes it, with no key in its output', async () => {
    const { node } = certified;
    // What it issues is valid now.
    node.clock.set(Date.now());
    await umbra(`context set admin --server ${node.url} --key-file -`, node.admin);
    const begin = ['ca create --name Plant --out @ca.crt --key-out @ca.key', 'ca register @ca.crt --ca-key @ca.key'];
    const issue = 'device cert tap --ca @ca.crt --ca-key @ca.key';
    const made = [
      ...['device create tap --key-out @tap.key', `${issue} --out @tap.crt --key-out @tap.pem`],
      ...['device csr tap --out @tap.csr --key-out @second.pem', `${issue} --csr @tap.csr --out @second.crt`],
    ];
    expect(await exits(...begin, ...made)).toEqual([0, 0, 0, 0, 0, 0]);
    const tls = (cert: string, key: string) => ({ cert: readFileSync(at(cert)), key: readFileSync(at(key)) });
    const connect = (cert: string, key: string) =>
      certified.connect('tap', null, { ...tls(cert, key), protocolVersion: 5 });
    const client = await connect('second.crt', 'second.pem');
    expect(await exits(`device revoke tap --yes --certificate @second.crt`)).toEqual([0]);
    await until('the end of the connection', () => !client.connected);
    await (await connect('tap.crt', 'tap.pem')).endAsync();
    expect((await shown('client certificate list'))[0]).toMatchObject({ kind: 'certificate', revokedBy: 'admin' });
    expect(await shown('device show tap')).toMatchObject([{ thing: 'tap', keys: [{ kind: 'secret' }] }]);
    expect(await shown('device revoke tap --yes')).toMatchObject([{ thing: 'tap', keys: [expect.any(String)] }]);
    await expect(connect('tap.crt', 'tap.pem')).rejects.toMatchObject({ code: 0x86 });
    expect(await exits('device restore tap', 'get tap --key-file @tap.key')).toEqual([0, 3]);
    await (await connect('tap.crt', 'tap.pem')).endAsync();
    expect(await exits('ca update @ca.crt --disable', 'ca remove @ca.crt', 'ca remove @ca.crt --yes')).toEqual([
      0, 2, 0,
    ]);
    expect(await shown('ca list')).toEqual(expect.not.arrayContaining([expect.objectContaining({ disabled: true })]));
  });

  it('administers tenants, clients and the rules of the service', async () => {
    writeFileSync(at('tokens.yaml'), 'ttl: 900s\n');
    writeFileSync(at('wrong.yaml'), 'ttl: 1s\n');
    writeFileSync(at('lists.json'), '{"listeners": {"*": {"deny": ["* /v1/bulk"]}}}');
    const lines = [
      ...['tenant create plant --title Plant', 'tenant update plant --limit records=9', 'tenant create plant'],
      ...['client create dash --role viewer --tenant plant', 'client key create dash --tenant plant --out @dash.key'],
      ...['client key rotate dash --tenant plant --yes --out @dash.key --force', 'client show nobody', 'client list'],
      ...['token-policy apply @tokens.yaml', 'token-policy apply @wrong.yaml', 'token-policy delete --yes'],
      ...['route-list apply @lists.json', 'route-list delete --yes', 'device create tap', 'device delete tap --yes'],
    ];
    expect(await exits(...lines)).toEqual([...[0, 0, 6], ...[0, 0], ...[0, 5, 0], ...[0, 1, 0], ...[0, 0, 6, 0]]);
    expect(runs.find(({ exit }) => exit === 1)!.stderr).toContain(`${at('wrong.yaml')}:1:6: ttl must be`);
    const dash = '--key-file @dash.key';
    expect(await exits(`doctor ${dash}`, `tenant list ${dash}`, `client list ${dash}`)).toEqual([0, 4, 4]);
    expect(await shown('tenant show plant')).toMatchObject([{ title: 'Plant', limits: { records: 9 } }]);
    expect(await exits('tenant delete plant --yes', 'client delete dash --tenant plant --yes')).toEqual([1, 0]);
    expect(await exits('tenant delete plant --yes')).toEqual([0]);
    for (const { stdout, stderr, visible } of runs) expect(stdout + stderr + visible).not.toMatch(/umk_|PRIVATE KEY/);
  });
});
