import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import type { Duplex } from 'node:stream';
import * as sdk from '@aws-sdk/client-iot-data-plane';
import {
  ACCESS_KEY_PURPOSE,
  createAccessKey,
  type AccessKey,
  type NewAccessKey,
} from '../../src/auth/aws-signature/access-key.js';
import type { SignedRequest } from '../../src/auth/aws-signature/canonical-request.js';
import { SignatureVerifier } from '../../src/auth/aws-signature/signature-verifier.js';
import { SecretSeal } from '../../src/auth/sealed-secret.js';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { runClient } from '../harness/sdk-client.js';

const TOKEN = 'to/k+en=';
const REGION = 'eu-central-1';
const seal = new SecretSeal(randomBytes(32), ACCESS_KEY_PURPOSE);
const plainKey = createAccessKey(seal);
const tokenKey = { ...createAccessKey(seal), sessionTokenHash: createHash('sha256').update(TOKEN).digest('hex') };
const lookup = (id: string): AccessKey | undefined => [plainKey, tokenKey].find((key) => key.id === id);

function signedRequest({ method = '', url = '', rawHeaders }: IncomingMessage, body: Buffer | null): SignedRequest {
  const [rawPath = '', rawQuery = ''] = url.split('?', 2);
  return { method, rawPath, rawQuery, headers: rawHeaders, body };
}

async function listening<T extends Server>(server: T): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const KEYS: [string, NewAccessKey, string | undefined][] = [
  ['a key', plainKey, undefined],
  ['a key and a session token', tokenKey, TOKEN],
];

describe.each(KEYS)('@aws-sdk/client-iot-data-plane with %s', (_what, key, sessionToken) => {
  const recorded: SignedRequest[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      recorded.push(signedRequest(request, Buffer.concat(pieces)));
      response.end('{}');
    });
  });
  let client: sdk.IoTDataPlaneClient;

  beforeAll(async () => {
    client = new sdk.IoTDataPlaneClient({
      endpoint: `http://127.0.0.1:${await listening(server)}`,
      region: REGION,
      maxAttempts: 1,
      credentials: {
        accessKeyId: key.id,
        secretAccessKey: key.secret,
        ...(sessionToken === undefined ? {} : { sessionToken }),
      },
    });
  });
  afterAll(() => {
    client.destroy();
    server.close();
  });

  const payload = Buffer.from('{"state":{"desired":{"text":"grün"}}}');
  const names = { thingName: 'a:b_c-1', shadowName: 'na:me$1' };
  const nextToken = 'a+b/c==';
  const calls: [string, string, () => Promise<unknown>][] = [
    ['get', '/things/x%24y/shadow', () => client.send(new sdk.GetThingShadowCommand({ thingName: 'x$y' }))],
    ['get named', '/things/a%3Ab_c-1/shadow', () => client.send(new sdk.GetThingShadowCommand(names))],
    ['update', '/things/a%3Ab_c-1/shadow', () => client.send(new sdk.UpdateThingShadowCommand({ ...names, payload }))],
    ['delete', '/things/a%3Ab_c-1/shadow', () => client.send(new sdk.DeleteThingShadowCommand(names))],
    [
      'list',
      '/api/things/shadow/ListNamedShadowsForThing/x%24y',
      () => client.send(new sdk.ListNamedShadowsForThingCommand({ thingName: 'x$y', nextToken, pageSize: 10 })),
    ],
    [
      'publish',
      '/topics/a%2Fb%20%C3%BC%252F',
      () =>
        client.send(
          new sdk.PublishCommand({
            ...{ topic: 'a/b ü%2F', qos: 1, retain: true, payload, contentType: 'text/ plain', messageExpiry: 5 },
            ...{ userProperties: '[{"a":"b"}]', payloadFormatIndicator: 'UTF8_DATA', correlationData: 'YQ==' },
          }),
        ),
    ],
    ['retained', '/retainedMessage/a%2F%2Fb', () => client.send(new sdk.GetRetainedMessageCommand({ topic: 'a//b' }))],
    [
      'list retained',
      '/retainedMessage',
      () => client.send(new sdk.ListRetainedMessagesCommand({ nextToken, maxResults: 3 })),
    ],
  ];

  it.each(calls)(
    '%s is verified, and refused when its body, path or query is another one',
    async (_call, path, call) => {
      recorded.length = 0;
      await call();
      const [request] = recorded as [SignedRequest];
      expect(request.rawPath).toBe(path);
      const verifier = new SignatureVerifier(seal);
      const verify = (change: Partial<SignedRequest>) =>
        verifier.verifyRest({ ...request, ...change }, lookup, Date.now());
      expect(verify({})).toMatchObject({ verified: true, key, region: REGION, service: 'iotdata' });
      expect(verify({ body: Buffer.from('{}') })).toMatchObject({ code: 'AUTH_101' });
      expect(verify({ rawPath: `${request.rawPath}1` })).toMatchObject({ code: 'AUTH_102' });
      expect(verify({ rawQuery: `${request.rawQuery}${request.rawQuery && '&'}a=1` })).toMatchObject({
        code: 'AUTH_102',
      });
    },
  );
});

describe.each(KEYS)('the device SDKs, over WebSocket with %s', (_what, key, token) => {
  const recorded: SignedRequest[] = [];
  const record = (request: IncomingMessage, socket: Duplex): void => {
    recorded.push(signedRequest(request, null));
    socket.destroy();
  };
  let authority: Authority;
  let servers: Server[];

  beforeAll(async () => {
    authority = await createAuthority();
    const { cert, key: certKey } = authority.server;
    const tls = createTlsServer({ cert: await readFile(cert), key: await readFile(certKey) });
    const plain = createServer();
    servers = [plain, tls];
    for (const server of servers) server.on('upgrade', record);
    const [port, tlsPort] = [await listening(plain), await listening(tls)];
    const { id, secret } = key;
    await runClient('signed-upgrades.mjs', { port, tlsPort, ca: authority.ca, id, secret, token, region: REGION });
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await authority.remove();
  });

  /** The protocol that each asks for, and the headers that it signs, as it sends them. */
  const form = ({ headers, rawQuery }: SignedRequest): string[] => {
    const lower = headers.map((text, at) => (at % 2 === 0 ? text.toLowerCase() : text));
    const signed = decodeURIComponent(/X-Amz-SignedHeaders=([^&]+)/.exec(rawQuery)?.[1] ?? '').split(';');
    const value = (name: string): string => lower[lower.indexOf(name) + 1] ?? '';
    return [value('sec-websocket-protocol'), ...signed.map((name) => `${name}: ${value(name)}`)];
  };

  it('sign what they are known to sign', () => {
    const v2 = ['mqtt', 'connection: Upgrade', 'host: 127.0.0.1'];
    const v1 = ['mqttv3.1', expect.stringMatching(/^host: localhost:\d+$/)];
    expect([...new Set(recorded.map((each) => JSON.stringify(form(each))))].map((text) => JSON.parse(text))).toEqual([
      v2,
      v1,
    ]);
    expect(recorded.some(({ rawQuery }) => rawQuery.includes('X-Amz-Expires'))).toBe(false);
    expect(recorded.every(({ rawQuery }) => rawQuery.includes('X-Amz-Security-Token') === (token !== undefined))).toBe(
      true,
    );
  });

  it('are verified once each, and refused for another path, query or host', () => {
    // Of those that connect within one second, v2 signs the same URL.
    const urls = new Map(recorded.map((request) => [request.rawQuery, request]));
    expect(urls.size).toBeGreaterThanOrEqual(2);
    for (const request of urls.values()) {
      const verifier = new SignatureVerifier(seal);
      const verify = (change: Partial<SignedRequest> = {}) =>
        verifier.verifyUpgrade({ ...request, ...change }, lookup, Date.now());
      expect(verify({ rawPath: '/mqtt2' })).toMatchObject({ code: 'AUTH_102' });
      expect(verify({ rawQuery: `${request.rawQuery}&a=1` })).toMatchObject({ code: 'AUTH_102' });
      const headers = request.headers.map((text) => text.replace(/127\.0\.0\.1|localhost/, 'other'));
      expect(verify({ headers })).toMatchObject({ code: 'AUTH_102' });
      expect(verify()).toMatchObject({ verified: true, key, region: REGION, service: 'iotdevicegateway' });
      expect(verify()).toMatchObject({ code: 'AUTH_110' });
    }
  });
});
