import { createHash } from 'node:crypto';
import { Agent } from 'node:https';
import type { SecureVersion, TLSSocket } from 'node:tls';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { fingerprintOf } from '../../src/auth/certificates/fingerprint.js';
import { certificate } from '../../src/sdk/auth/index.js';
import { Umbra } from '../../src/sdk/index.js';
import { CertifiedNode } from '../harness/certified-node.js';
import { until } from '../harness/until.js';
import { MessageReader } from '../harness/message-reader.js';
import * as x509 from '../harness/x509.js';

const HOUR_MS = 3_600_000;
const shadow = (thing: string, tail: string): string => `$aws/things/${thing}/shadow/${tail}`;
let certified: CertifiedNode;
let ca: x509.Issued;
let otherCa: x509.Issued;
const foreignCa = x509.issueAuthority();
const device = (name: string | readonly string[], more?: x509.CertificateParts): x509.Issued =>
  certified.device(ca, name, more);

beforeAll(async () => {
  certified = await CertifiedNode.start();
  const { node } = certified;
  await node.ask('PUT', '/v1/tenants/other', node.admin, {});
  [ca, otherCa] = [certified.authority(), certified.authority()];
  expect((await certified.register(ca)).status).toBe(201);
  expect((await certified.register(otherCa, {}, 'other')).status).toBe(201);
  await node.make('lamp', { thing: 'lamp', roles: ['device'] });
  await node.make('lamp', { thing: 'lamp', roles: ['device'] }, 'other');
  await node.make('clerk', { kind: 'person', thing: 'clerk', roles: ['operator'] });
  await node.make('alias', { thing: 'lamp', roles: ['operator'] });
  await node.make('off', { thing: 'off', roles: ['device'], disabled: true });
});
afterAll(() => certified.stop());

/** Reason code of the CONNACK that refuses. */
async function refusal(clientId: string, shown: x509.Issued | null, options: IClientOptions = {}): Promise<number> {
  try {
    await certified.connect(clientId, shown, options);
  } catch (error) {
    return (error as { code: number }).code;
  }
  return 0;
}

describe('a certificate', () => {
  it.each<[string, () => x509.Issued | null, RegExp]>([
    ['none', () => null, /missing/],
    ['of a foreign authority', () => certified.device(foreignCa, 'lamp'), /no registered authority/],
    ['signed by itself', () => certified.device(null, 'lamp'), /no registered authority/],
    [
      'of the name of a registered authority',
      () => certified.device(certified.authority({ name: 'Authority 1' }), 'lamp'),
      /no registered/,
    ],
    ['expired', () => device('lamp', { notAfter: certified.node.clock.now() - HOUR_MS / 2 }), /expired/],
    ['not yet valid', () => device('lamp', { notBefore: certified.node.clock.now() + HOUR_MS / 2 }), /not valid yet/],
    ['with two names', () => device(['lamp', 'door']), /several names/],
    ['with one name twice', () => device(['lamp', 'lamp']), /several names/],
    ['with a line feed in its name', () => device('lamp\nCN=door'), /no thing name/],
    ['with a NUL in its name', () => device('lamp\0'), /no thing name/],
    ['with a wildcard as its name', () => device('+'), /no thing name/],
    ['with a path as its name', () => device('lamp/../door'), /no thing name/],
    ['of nobody that is registered', () => device('nobody'), /no device is registered/],
    ['with the name of a person', () => device('clerk'), /no device is registered/],
    ['with the name of another principal of the thing', () => device('alias'), /no device is registered/],
    ['of a disabled device', () => device('off'), /revoked/],
    ['of the authority itself', () => ca, /of an authority cannot/],
  ])('%s is refused at each door', async (_what, made, reason) => {
    const shown = made();
    const { status, body } = await certified.https('GET', '/v1/things/lamp/shadow', shown);
    expect([status, body.detail]).toEqual([401, expect.stringMatching(reason)]);
    expect(await refusal('lamp', shown)).toBe(0x86);
    expect(await refusal('lamp', shown, { protocolVersion: 4 })).toBe(4);
  });

  it('does not help who shows something else that is wrong', async () => {
    const lamp = device('lamp');
    expect(await refusal('lamp', lamp, { username: 'lamp', password: 'wrong' })).toBe(0x86);
    const headers = { authorization: 'Bearer wrong' };
    expect((await certified.https('GET', '/v1/things/lamp/shadow', lamp, { headers })).status).toBe(401);
    // A key counts before it: the caller is the administrator, and no device.
    const admin = { authorization: `Bearer ${certified.node.admin}` };
    expect((await certified.https('GET', '/v1/principals', lamp, { headers: admin })).status).toBe(200);
  });

  it('lets a device use its own shadows, and no others', async () => {
    const lamp = device('lamp');
    const client = await certified.connect('lamp', lamp, { username: '?SDK=JavaScript&Version=2.2.16' });
    const accepted = new Promise((resolve) => client.once('message', resolve));
    await client.subscribeAsync(shadow('lamp', 'update/accepted'));
    await client.publishAsync(shadow('lamp', 'update'), '{"state":{"reported":{"a":1}}}', { qos: 1 });
    expect(await accepted).toBe(shadow('lamp', 'update/accepted'));
    await expect(client.publishAsync(shadow('door', 'update'), '{}', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    await expect(client.subscribeAsync(shadow('door', '#'))).rejects.toThrow();
    await client.endAsync();
    expect(await refusal('door', lamp)).toBe(0x87);
    const own = await certified.https('GET', '/things/lamp/shadow', lamp);
    expect([own.status, own.body.state]).toEqual([200, { reported: { a: 1 } }]);
    expect((await certified.https('GET', '/things/door/shadow', lamp)).status).toBe(403);
    // The authority says whose device it is: the other tenant has no such shadow.
    expect((await certified.https('GET', '/things/lamp/shadow', certified.device(otherCa, 'lamp'))).status).toBe(404);
  });

  it('counts over WebSocket too', async () => {
    const url = certified.node.httpsUrl!.replace('https:', 'wss:');
    const open = (shown: x509.Issued): MqttClient => {
      const wsOptions = { rejectUnauthorized: false, cert: shown.pem, key: shown.key };
      return connect(`${url}/mqtt`, { clientId: 'lamp', protocolVersion: 5, reconnectPeriod: 0, wsOptions });
    };
    const good = open(device('lamp'));
    await new Promise((resolve, reject) => good.once('connect', resolve).once('error', reject));
    await expect(good.publishAsync(shadow('door', 'update'), '{}', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    await good.endAsync();
    const bad = open(certified.device(foreignCa, 'lamp'));
    expect(await new Promise((resolve) => bad.once('error', resolve))).toMatchObject({ code: 0x86 });
  });

  it('counts for streams over WebSocket', async () => {
    const open = (shown: x509.Issued | null, headers = {}): Promise<MessageReader> =>
      MessageReader.open(`${certified.node.httpsUrl}/v1/things/lamp/shadow/watch`, [], {
        ...{ rejectUnauthorized: false, headers },
        ...(shown && { cert: shown.pem, key: shown.key }),
      });
    // The role of devices may not watch.
    await expect(open(device('lamp'))).rejects.toThrow(/^status 403: .*umbra:Watch on thing\/lamp/);
    await expect(open(certified.device(foreignCa, 'lamp'))).rejects.toThrow(/^status 401: /);
    const reader = await open(null, { authorization: `Bearer ${certified.node.admin}` });
    expect((await reader.next())?.type).toBe('bookmark');
    reader.close();
  });
});

describe('the client library', () => {
  /** A client with a certificate. @param pinned whose key the node has to have */
  function clientOf(shown: x509.Issued, pinned = certified.own): Umbra {
    const pins = [
      createHash('sha256')
        .update(pinned.publicKey.export({ format: 'der', type: 'spki' }))
        .digest('base64'),
    ];
    const auth = certificate({ cert: shown.pem, key: shown.key, ca: certified.own.pem, pins });
    const url = `https://localhost:${new URL(certified.node.httpsUrl!).port}`;
    return new Umbra({ url, auth, retry: { attempts: 1 } });
  }

  it('is a device by its certificate, of a node that it knows by its key', async () => {
    const umbra = clientOf(device('lamp'));
    await umbra.thing('lamp').shadow().reported.patch({ on: true });
    expect(await umbra.thing('lamp').shadow().get()).toMatchObject({ reported: { on: true } });
    await expect(umbra.thing('door').shadow().get()).rejects.toMatchObject({ status: 403 });
    await umbra.thing('lamp').shadow().delete();
    const stranger = clientOf(certified.device(foreignCa, 'lamp'));
    await expect(stranger.thing('lamp').shadow().get()).rejects.toMatchObject({ status: 401, authCode: 'AUTH_109' });
    const elsewhere = clientOf(device('lamp'), ca);
    const lost = {
      code: 'unreachable',
      outcome: 'not-applied',
      message: expect.stringMatching(/ERR_TLS_PIN_MISMATCH/),
    };
    await expect(elsewhere.thing('lamp').shadow().desired.patch({ on: false })).rejects.toMatchObject(lost);
    for (const each of [umbra, stranger, elsewhere]) each.close();
  });
});

describe('what is withdrawn', () => {
  interface Case {
    readonly id: string;
    readonly authority: x509.Issued;
    readonly shown: x509.Issued;
    readonly key: string;
  }
  const { stringify } = JSON;
  const admin = async (method: string, path: string, body?: object): Promise<void> => {
    const { node } = certified;
    const headers = method === 'PUT' ? { 'if-match': '*' } : {};
    const { status, body: answer } = await node.ask(
      method,
      path,
      node.admin,
      body,
      path.includes('revo') ? {} : headers,
    );
    if (status >= 300) throw new Error(stringify(answer));
  };
  const CASES: [string, (of: Case) => Promise<void>][] = [
    ['certificate', ({ shown }) => admin('PUT', `/v1/revocations/certificate/${fingerprintOf(shown.der)}`, {})],
    ['thing', ({ id }) => admin('PUT', `/v1/revocations/thing/${id}`, { reason: 'lost' })],
    ['authority', ({ key }) => admin('PUT', `/v1/revocations/authority/${key}`)],
    ['authority by disabling it', ({ authority }) => admin('PUT', certified.path(authority), { disabled: true })],
    ['authority by deleting it', ({ authority }) => admin('DELETE', certified.path(authority))],
    ['principal', ({ id }) => admin('DELETE', `/v1/principals/${id}`)],
  ];

  async function caseOf(id: string): Promise<Case> {
    const authority = certified.authority();
    const { status, body } = await certified.register(authority);
    expect(status).toBe(201);
    await certified.node.make(id, { thing: id, roles: ['device', 'service'] });
    return { id, authority, shown: certified.device(authority, id), key: body.key as string };
  }

  it.each(CASES)('ends connection, stream and requests: %s', async (what, withdraw) => {
    const of = await caseOf(`gone-${what.replaceAll(' ', '-')}`);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = () => certified.https('GET', `/v1/things/${of.id}/shadow`, of.shown, { agent });
    const client = await certified.connect(of.id, of.shown);
    const reasons: (number | undefined)[] = [];
    client.on('disconnect', ({ reasonCode }) => void reasons.push(reasonCode));
    const stream = certified.https('GET', `/v1/watch`, of.shown);
    expect((await ask()).status).toBe(404);
    await withdraw(of);
    await until('the end of the connection', () => !client.connected);
    expect(reasons).toEqual([0x87]);
    expect((await stream).body).toMatch(/event: end\ndata: \{"reason":"forbidden"/);
    // Over the connection on which it was known before.
    expect((await ask()).status).toBe(401);
    expect(await refusal(of.id, of.shown)).toBe(0x86);
    agent.destroy();
  });

  it.each<SecureVersion>(['TLSv1.2', 'TLSv1.3'])('holds for resumed sessions of %s', async (version) => {
    const of = await caseOf(`resumed-${version.slice(-1)}`);
    const tls = { minVersion: version, maxVersion: version, servername: 'localhost' };
    const path = `/v1/things/${of.id}/shadow`;
    const first = await certified.https('GET', path, of.shown, tls);
    expect([first.status, first.isResumed]).toEqual([404, false]);
    // The ticket alone brings the certificate.
    const resumed = () => certified.https('GET', path, null, { ...tls, session: first.session });
    expect(await resumed()).toMatchObject({ status: 404, isResumed: true });
    const over = await mqttSession(of.id, of.shown, tls);
    expect(await mqttResumed(of.id, over, tls)).toEqual({ code: 0, isResumed: true });
    await admin('PUT', `/v1/revocations/certificate/${fingerprintOf(of.shown.der)}`, {});
    expect(await resumed()).toMatchObject({ status: 401, isResumed: true });
    expect(await mqttResumed(of.id, over, tls)).toEqual({ code: 0x86, isResumed: true });
  });

  it('ends a connection when its certificate has expired', async () => {
    const of = await caseOf('brief');
    const client = await certified.connect(of.id, of.shown);
    certified.node.clock.advance(HOUR_MS + 31_000);
    try {
      expect((await certified.https('GET', '/v1/things/brief/shadow', of.shown)).body.detail).toMatch(/expired/);
      await until('the end', () => !client.connected, 20_000);
    } finally {
      certified.node.clock.advance(-HOUR_MS - 31_000);
    }
  });

  /** The session of a connection, for others to resume. */
  async function mqttSession(id: string, shown: x509.Issued, tls: object): Promise<Buffer> {
    const client = connect(certified.node.mqttsUrl!, {
      ...{ clientId: id, protocolVersion: 5, reconnectPeriod: 0, rejectUnauthorized: false, cert: shown.pem },
      ...{ key: shown.key, ...tls },
    });
    let session: Buffer | undefined;
    (client.stream as TLSSocket).on('session', (given: Buffer) => (session = given));
    await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject));
    await until('a session', () => session !== undefined);
    await client.endAsync();
    return session!;
  }

  async function mqttResumed(id: string, session: Buffer, tls: object): Promise<{ code: number; isResumed: boolean }> {
    const options = {
      clientId: id,
      protocolVersion: 5,
      reconnectPeriod: 0,
      rejectUnauthorized: false,
      ...tls,
      session,
    };
    const client = connect(certified.node.mqttsUrl!, options as IClientOptions);
    const stream = client.stream as TLSSocket;
    let isResumed = false;
    stream.once('secureConnect', () => (isResumed = stream.isSessionReused()));
    const code = await new Promise<number>((resolve) => {
      client
        .once('connect', () => resolve(0))
        .once('error', (error) => resolve((error as { code?: number }).code ?? -1));
    });
    client.end(true);
    return { code, isResumed };
  }
});
