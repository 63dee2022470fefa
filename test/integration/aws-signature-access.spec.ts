import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-iot-data-plane';
import { connectAsync, type MqttClient } from 'mqtt';
import { pino } from 'pino';
import type { SignedRequest } from '../../src/auth/aws-signature/canonical-request.js';
import { presign, SDK_V1, signRequest, type Plain, type Signer } from '../harness/aws-signer.js';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { MessageReader } from '../harness/message-reader.js';
import { freePort } from '../harness/ports.js';
import { runClient } from '../harness/sdk-client.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';

/** Signatures of AWS clients at the doors of a node. */
const lines: string[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
const secrets: string[] = [];
let authority: Authority;
let node: SecureNode;
let tlsPort: number;
let lamp: Key;

interface Key {
  readonly id: string;
  readonly secret: string;
}

async function accessKey(principal: string, members: object = {}): Promise<Key> {
  const path = `/v1/principals/${principal}/keys`;
  const { status, body } = await node.ask('POST', path, node.admin, { kind: 'aws', ...members });
  expect([status, Object.keys(body)]).toEqual([201, ['id', 'secret']]);
  secrets.push((body as Key).secret);
  return body as Key;
}

beforeAll(async () => {
  authority = await createAuthority();
  tlsPort = await freePort();
  node = await startSecureNode({
    logger,
    environment: {
      UMBRA_HTTPS_PORT: String(tlsPort),
      UMBRA_TLS_CERT: authority.server.cert,
      UMBRA_TLS_KEY: authority.server.key,
    },
  });
  // The SDKs sign with the clock of the machine.
  node.clock.set(Date.now());
  await node.make('lamp', { thing: 'lamp', roles: ['device'] });
  lamp = await accessKey('lamp');
});
afterAll(async () => {
  await node.stop();
  await authority.remove();
});

/** `X-Amz-Date` of now. */
const date = (): string => new Date(node.clock.now()).toISOString().replace(/[-:]|\.\d{3}/g, '');
const signer = (key: Key): Signer => ({ ...key, date: date() });

/** Sends a request as it was signed, or changed. */
async function send({ method, rawPath, rawQuery, headers, body }: SignedRequest) {
  const pairs = headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1] as string]] : []));
  const sent = Object.fromEntries(pairs.filter(([name]) => name !== 'host')) as Record<string, string>;
  const url = `${node.url}${rawPath}${rawQuery === '' ? '' : `?${rawQuery}`}`;
  const answer = await fetch(url, { method, headers: sent, ...(body !== null && { body: Buffer.from(body) }) });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}
const host = (): string => new URL(node.url).host;
const signed = (plain: Omit<Plain, 'headers'>, key: Key = lamp): SignedRequest =>
  signRequest({ ...plain, headers: { host: host() } }, signer(key));

const SHADOW = '/things/lamp/shadow';
const update = (text = '{"state":{"reported":{"a":1}}}'): Omit<Plain, 'headers'> => ({
  method: 'POST',
  path: SHADOW,
  body: text,
});

describe('an access key', () => {
  it('is listed without its secret, and withdrawn like any other', async () => {
    const key = await accessKey('lamp', { title: 'spare' });
    const path = '/v1/principals/lamp/keys';
    const { body } = await node.ask('GET', path, node.admin);
    expect(body.keys).toContainEqual({
      ...{ id: key.id, principal: 'lamp', kind: 'aws', title: 'spare', disabled: false, expiresAt: null },
      createdAt: expect.any(String),
    });
    expect(JSON.stringify(body)).not.toMatch(/sealed|secret"?:/);
    expect((await send(signed(update(), key))).status).toBe(200);
    expect((await node.ask('DELETE', `${path}/${key.id}`, node.admin)).status).toBe(204);
    expect((await send(signed(update(), key))).status).toBe(401);
  });

  it('expires', async () => {
    const key = await accessKey('lamp', { expiresIn: 60 });
    expect((await send(signed(update(), key))).status).toBe(200);
    node.clock.advance(60_000);
    const { status, text } = await send(signed({ path: '/v1/things/lamp/shadow' }, key));
    expect([status, JSON.parse(text).code]).toEqual([401, 'AUTH_103']);
  });

  it.each([[{ kind: 'gcp' }], [{ kind: null }], [{ kind: 'aws', secret: 'mine' }]])(
    'is not made of %j',
    async (members) => {
      const { status } = await node.ask('POST', '/v1/principals/lamp/keys', node.admin, members);
      expect(status).toBe(400);
    },
  );

  it('is no Bearer token, and a key of another kind does not sign', async () => {
    expect((await node.ask('GET', SHADOW, lamp.secret)).status).toBe(401);
    const { body } = await node.ask('POST', '/v1/principals/lamp/keys', node.admin, {});
    const { id, key } = body as { id: string; key: string };
    expect((await send(signed(update(), { id, secret: key }))).status).toBe(401);
  });
});

describe('a signed request', () => {
  const large = JSON.stringify({ state: { reported: { a: 'x'.repeat(200_000) } } });
  // Rows: what it is about, request, status.
  it.each<[string, Omit<Plain, 'headers'>, number]>([
    ['an update', update(), 200],
    ['a shadow', { path: SHADOW }, 200],
    ['the head of a shadow', { method: 'HEAD', path: '/v1/things/lamp/shadow' }, 200],
    ['a shadow at the other door', { path: '/v1/things/lamp/shadow' }, 200],
    ['a shadow that does not exist', { path: SHADOW, query: 'name=none' }, 404],
    ['a thing of another', { path: '/things/door/shadow' }, 403],
    ['a body that is a stream', { method: 'POST', path: '/v1/bulk', body: '{"thing":"lamp","desired":{}}' }, 401],
    ['an update of a thing of another', { ...update(), path: '/things/door/shadow' }, 403],
    ['the head of a shadow of another', { method: 'HEAD', path: '/v1/things/door/shadow' }, 403],
    ['the deletion of a shadow of another', { method: 'DELETE', path: '/things/door/shadow' }, 403],
    ['all changes', { path: '/v1/watch' }, 403],
    ['principals', { path: '/v1/principals' }, 403],
    ['a path that does not exist', { path: '/v1/none' }, 404],
    ['a public path', { path: '/health/live' }, 200],
    ['an update that is no JSON', update('{"state":'), 400],
    ['an update that is too large', update(large), 413],
  ])('about %s is answered', async (_, plain, status) => {
    expect((await send(signed(plain))).status).toBe(status);
  });

  const tampered: [string, (request: SignedRequest) => Partial<SignedRequest>, string][] = [
    ['another body', () => ({ body: Buffer.from('{"state":{"reported":{"a":2}}}') }), 'AUTH_102'],
    ['no body', () => ({ body: null }), 'AUTH_102'],
    ['another path', ({ rawPath }) => ({ rawPath: rawPath.replace('lamp', 'lamp2') }), 'AUTH_102'],
    ['another method', () => ({ method: 'DELETE' }), 'AUTH_102'],
    ['a shadow in its query', () => ({ rawQuery: 'name=b' }), 'AUTH_102'],
    ['what comes behind a second question mark', () => ({ rawQuery: '?name=b' }), 'AUTH_102'],
    ['a header that is not signed', ({ headers }) => ({ headers: [...headers, 'x-amz-a', 'b'] }), 'AUTH_101'],
    ['nothing but the name of the algorithm', () => ({ headers: ['authorization', 'AWS4-HMAC-SHA256'] }), 'AUTH_101'],
    ['another algorithm', () => ({ headers: ['authorization', 'AWS4-ECDSA-P256-SHA256 x'] }), 'AUTH_101'],
    ['a changed signature', ({ headers }) => ({ headers: headers.with(-1, flipped(headers.at(-1)!)) }), 'AUTH_102'],
    [
      'a key that does not exist',
      ({ headers }) => ({ headers: headers.with(-1, headers.at(-1)!.replace(lamp.id, `UMBA${'A'.repeat(16)}`)) }),
      'AUTH_102',
    ],
  ];
  it.each(tampered)('is refused with %s', async (_, change, code) => {
    const before = await send(signed({ path: SHADOW }));
    const aws = signed(update());
    const { status, headers, text } = await send({ ...aws, ...change(aws) });
    // The shape of AWS, whose SDKs show type and message.
    expect([status, headers.get('x-amzn-errortype')]).toEqual([401, 'UnauthorizedException:']);
    expect(JSON.parse(text)).toEqual({ message: expect.stringMatching(/: ./), traceId: expect.any(String) });
    expect((await send(signed({ path: SHADOW }))).text).toBe(before.text);
    const ours = signed({ ...update(), method: 'PATCH', path: '/v1/things/lamp/shadow' });
    const refused = await send({ ...ours, ...change(ours) });
    expect([refused.status, JSON.parse(refused.text).code]).toEqual([401, code]);
  });

  it.each([-301_000, 301_000])('is refused %i ms from its date', async (ms) => {
    const late = signed(update());
    node.clock.jump(ms);
    const { status, text } = await send(late);
    node.clock.jump(-ms);
    expect([status, text]).toEqual([401, expect.stringMatching(/X-Amz-Date is 30[12] s/)]);
  });

  it('may not have its signature in the query', async () => {
    const { rawPath, rawQuery } = presign({ ...SDK_V1, headers: { Host: host() } }, signer(lamp));
    expect(rawPath).toBe('/mqtt');
    expect((await fetch(`${node.url}${SHADOW}?${rawQuery}`)).status).toBe(401);
  });
});

/** The text with another last digit. */
const flipped = (text: string): string => text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');

describe('@aws-sdk/client-iot-data-plane', () => {
  let client: sdk.IoTDataPlaneClient;
  beforeAll(async () => {
    const { id: accessKeyId, secret: secretAccessKey } = await accessKey('lamp');
    const credentials = { accessKeyId, secretAccessKey };
    client = new sdk.IoTDataPlaneClient({ endpoint: node.url, region: 'eu-central-1', credentials, maxAttempts: 1 });
  });
  afterAll(() => client.destroy());

  it('may do with its own thing what policies allow, and nothing with another', async () => {
    const [thingName, shadowName] = ['lamp', 'na:me$1'];
    const payload = Buffer.from('{"state":{"desired":{"text":"grün"}}}');
    await client.send(new sdk.UpdateThingShadowCommand({ thingName, shadowName, payload }));
    const got = await client.send(new sdk.GetThingShadowCommand({ thingName, shadowName }));
    expect(JSON.parse(Buffer.from(got.payload ?? []).toString())).toMatchObject({
      state: { desired: { text: 'grün' } },
    });
    const { results } = await client.send(new sdk.ListNamedShadowsForThingCommand({ thingName }));
    expect(results).toContain(shadowName);
    await client.send(new sdk.DeleteThingShadowCommand({ thingName, shadowName }));
    for (const call of [
      () => client.send(new sdk.GetThingShadowCommand({ thingName: 'door' })),
      () => client.send(new sdk.UpdateThingShadowCommand({ thingName: 'door', payload })),
    ])
      await expect(call()).rejects.toMatchObject({ name: 'ForbiddenException', $metadata: { httpStatusCode: 403 } });
  });

  it('hears why its signature is refused', async () => {
    const credentials = { accessKeyId: lamp.id, secretAccessKey: 'wrong' };
    const stranger = new sdk.IoTDataPlaneClient({
      ...{ endpoint: node.url, region: 'eu-central-1', credentials, maxAttempts: 1 },
    });
    const call = stranger.send(new sdk.GetThingShadowCommand({ thingName: 'lamp' }));
    await expect(call).rejects.toMatchObject({
      name: 'UnauthorizedException',
      message: expect.stringMatching(/check key, secret and region/),
    });
    stranger.destroy();
  });
});

/** Of version 1 or 2. It is no requirement of the tests: where it is not installed they are skipped. */
const cli = existsSync('/usr/bin/aws')
  ? '/usr/bin/aws'
  : spawnSync('sh', ['-c', 'command -v aws']).stdout.toString().trim();

(cli === '' ? describe.skip : describe)('the AWS CLI', () => {
  it('does what policies allow, and hears why its signature is refused', async () => {
    const { id, secret } = await accessKey('lamp');
    const folder = mkdtempSync(join(tmpdir(), 'umbra-cli-'));
    const [payload, answer] = [join(folder, 'payload.json'), join(folder, 'answer.json')];
    writeFileSync(payload, '{"state":{"desired":{"text":"grün"}}}');
    const names = ['--thing-name', 'lamp', '--shadow-name', 'na:me$1'];
    /** What it said of an error. */
    const run = (args: readonly string[], key: string): Promise<string> => {
      const aws = { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: key, AWS_DEFAULT_REGION: 'eu-central-1' };
      const env = { PATH: process.env['PATH'] ?? '', HOME: folder, AWS_MAX_ATTEMPTS: '1', ...aws };
      const command = ['iot-data', '--endpoint-url', node.url, ...args];
      return new Promise((resolve) => execFile(cli, command, { env }, (_error, _out, text) => resolve(text.trim())));
    };
    // It signs with the clock of the machine.
    node.clock.jump(Date.now() - node.clock.now());
    const said = await Promise.all([
      run(['update-thing-shadow', ...names, '--payload', `fileb://${payload}`, answer], secret),
      run(['get-thing-shadow', ...names, join(folder, 'none.json')], 'wrong'),
    ]);
    expect(said).toEqual(['', expect.stringMatching(/UnauthorizedException.* check key, secret and region/)]);
    expect(JSON.parse(readFileSync(answer, 'utf8'))).toMatchObject({ state: { desired: { text: 'grün' } } });
    rmSync(folder, { recursive: true });
  });
});

it('a signed request opens a stream over WebSocket', async () => {
  await node.make('reader', { kind: 'service', roles: ['service'] });
  const { headers } = signed({ path: '/v1/watch' }, await accessKey('reader'));
  const pairs = headers.flatMap((name, at): [string, string][] =>
    at % 2 === 0 ? [[name, headers[at + 1] ?? '']] : [],
  );
  const open = (sent: [string, string][]): Promise<MessageReader> =>
    MessageReader.open(`${node.url}/v1/watch`, [], { headers: Object.fromEntries(sent) });
  const reader = await open(pairs);
  await node.ask('POST', SHADOW, node.admin, { state: { reported: { a: 1 } } });
  expect((await reader.nextOf('change')).data).toMatchObject({ thing: 'lamp' });
  reader.close();
  const changed = pairs.map(([name, value]): [string, string] =>
    name.toLowerCase() === 'authorization' ? [name, flipped(value)] : [name, value],
  );
  await expect(open(changed)).rejects.toThrow(/^status 401: /);
});

describe('a signed URL of a WebSocket', () => {
  const signedUrl = (key: Key, more: Partial<Signer> = {}): string => {
    const form = { ...SDK_V1, headers: { ...SDK_V1.headers, Host: host() } };
    const { rawPath, rawQuery } = presign(form, { ...signer(key), ...more });
    return `${rawPath}?${rawQuery}`;
  };

  /** The status line and the text of the answer to an upgrade. */
  async function upgrade(url: string, more: readonly string[] = []): Promise<[number, string]> {
    const { hostname, port } = new URL(node.url);
    const socket = connectSocket(Number(port), hostname);
    const head = [`GET ${url} HTTP/1.1`, `Host: ${host()}`, 'Upgrade: websocket', 'Connection: Upgrade'];
    const key = ['Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${'A'.repeat(22)}==`, 'Sec-WebSocket-Protocol: mqtt'];
    socket.write(`${[...head, ...key, ...more].join('\r\n')}\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    const [top = '', text = ''] = answer.toString().split('\r\n\r\n');
    return [Number(top.split(' ')[1]), text];
  }

  async function connect(url: string, clientId: string): Promise<MqttClient> {
    const client = await connectAsync(`${node.url.replace('http', 'ws')}${url}`, {
      ...{ clientId, reconnectPeriod: 0, protocolVersion: 5 },
    });
    client.on('error', () => undefined);
    return client;
  }

  it('opens one connection', async () => {
    const url = signedUrl(lamp);
    expect((await upgrade(url))[0]).toBe(101);
    expect(await upgrade(url)).toEqual([403, expect.stringMatching(/used before: sign a new one/)]);
  });

  it('is late after five minutes', async () => {
    const url = signedUrl(lamp);
    node.clock.jump(301_000);
    expect(await upgrade(url)).toEqual([403, expect.stringMatching(/30[12] s older/)]);
    node.clock.jump(-301_000);
  });

  it.each<[string, () => string, readonly string[], RegExp]>([
    ['with one more parameter', () => `${signedUrl(lamp)}&a=1`, [], /does not match/],
    ['with a changed signature', () => flipped(signedUrl(lamp)), [], /does not match/],
    ['with the secret of another', () => signedUrl({ ...lamp, secret: 'x' }), [], /does not match/],
    ['for another service', () => signedUrl(lamp, { service: 's3' }), [], /service must be/],
    ['and a credential beside it', () => signedUrl(lamp), ['Authorization: Bearer x'], /no Authorization/],
    ['in a header', () => '/mqtt', ['Authorization: AWS4-HMAC-SHA256 x'], /signed in its query/],
  ])('is refused %s', async (_, url, headers, reason) => {
    expect(await upgrade(url(), headers)).toEqual([403, expect.stringMatching(reason)]);
  });

  it('is not needed: CONNECT proves who it is', async () => {
    expect((await upgrade('/mqtt'))[0]).toBe(101);
    await expect(connect('/mqtt', 'lamp')).rejects.toThrow(/Bad User Name or Password/i);
  });

  it('gives the rights of its principal, until its key is withdrawn', async () => {
    const key = await accessKey('lamp');
    await expect(connect(signedUrl(key), 'door')).rejects.toThrow(/Not authorized/i);
    node.clock.advance(1_000);
    const url = signedUrl(key);
    const client = await connect(url, 'lamp:signed');
    const answers = (thing: string): string => `$aws/things/${thing}/shadow/get/#`;
    await client.subscribeAsync(answers('lamp'));
    await expect(client.subscribeAsync(answers('door'))).rejects.toThrow(/Not authorized/);
    const closed = new Promise((resolve) => client.once('close', () => resolve(null)));
    await node.ask('DELETE', `/v1/principals/lamp/keys/${key.id}`, node.admin);
    await closed;
    node.clock.advance(1_000);
    expect(await upgrade(signedUrl(key))).toEqual([403, expect.stringMatching(/not known/)]);
  });
});

describe('the device SDKs over WebSocket', () => {
  it('are known by their signed URLs', async () => {
    // v2 signs the same URL twice within a second.
    const keys = [await accessKey('lamp'), await accessKey('lamp'), await accessKey('lamp')];
    node.clock.jump(Date.now() - node.clock.now());
    const results = await runClient('signed-devices.mjs', {
      ...{ port: Number(new URL(node.url).port), tlsPort, ca: authority.ca, keys, region: 'eu-central-1' },
      ...{ thing: 'lamp', foreign: 'door' },
    });
    expect(results).toEqual({
      v2_311: { accepted: '311', refused: true },
      v2_5: { accepted: '5', refused: true },
      v1: { accepted: 'v1', refused: true },
      wrong: expect.stringMatching(/AWS_ERROR/),
    });
  });
});

it('tells no secret and no signature to the log', () => {
  const log = lines.join('');
  expect(log).toContain('awsSignatureRefused');
  expect(log).not.toContain('X-Amz-Signature');
  for (const secret of secrets) expect(log).not.toContain(secret);
});
