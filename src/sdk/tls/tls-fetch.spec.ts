import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import { jest } from '@jest/globals';
import * as x509 from '../../../test/harness/x509.js';
import { certificate } from '../auth/sources/certificate.js';
import { connect } from '../device/index.js';
import type { UmbraError } from '../umbra-error.js';
import { Umbra } from '../umbra.js';
import { tlsFetch } from './tls-fetch.js';

const authority = x509.issueAuthority();
const localhost = x509.alternativeNames(x509.dnsName('localhost'));
const own = x509.issue(authority, { extensions: [localhost] });
const client = x509.issue(authority);
const pinOf = ({ publicKey }: x509.Issued): string =>
  createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('base64');
const PIN = pinOf(own);
const OTHER = pinOf(client);
const ca = authority.pem;
const LOST = 'ERR_TLS_PIN_MISMATCH unreachable not-applied';
const pair = { cert: client.pem, key: client.key };

let server: Server;
let url: string;
let connections = 0;
let asked = 0;

beforeAll(async () => {
  server = createServer({ cert: own.pem, key: own.key, ca, requestCert: true, rejectUnauthorized: false });
  server.on('secureConnection', () => connections++);
  server.on('upgrade', (_, socket) => socket.destroy(void asked++));
  server.on('request', () => asked++);
  server.on('request', ({ method, url: path, headers, socket }, answer) => {
    if (path === '/moved') return void answer.writeHead(302, { location: '/' }).end();
    if (path === '/empty') return void answer.writeHead(204).end();
    if (path === '/strange') return void answer.socket!.end('HTTP/1.1 600 Strange\r\ncontent-length: 0\r\n\r\n');
    if (path === '/stream') return void answer.write('first');
    const shown = (socket as TLSSocket).getPeerCertificate().subject as { CN?: string } | undefined;
    answer.setHeader('set-cookie', ['a=1', 'b=2']).end(JSON.stringify({ method, shown: shown?.CN, ...headers }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

it('sends and answers as fetch does, over one connection', async () => {
  const fetch = tlsFetch({ ca, pins: [PIN], ...pair });
  connections = 0;
  const answer = await fetch(`${url}/x`, { method: 'PUT', headers: { 'x-a': '1' }, body: 'ä' });
  expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(await answer.json()).toMatchObject({ method: 'PUT', shown: 'lamp-1', 'x-a': '1', 'content-length': '2' });
  expect((await fetch(`${url}/empty`, {})).body).toBeNull();
  expect(await (await fetch(url, {})).json()).toMatchObject({ method: 'GET' });
  expect(connections).toBe(1);
  await expect(fetch(`${url}/moved`, {})).rejects.toThrow('the answer is a redirect');
  await expect(fetch(`${url}/strange`, {})).rejects.toThrow('the answer has the status 600');
});

it('sends a stream as it comes, and ends with it', async () => {
  const fetch = tlsFetch({ ca });
  const answer = await fetch(url, { method: 'POST', body: new Blob(['lines']).stream() });
  expect(await answer.json()).toMatchObject({ method: 'POST', 'transfer-encoding': 'chunked' });
  const broken = new ReadableStream({ start: (control) => control.error(new Error('no more')) });
  await expect(fetch(url, { method: 'POST', body: broken })).rejects.toThrow('no more');
});

it('reads a stream as it comes, until its signal aborts', async () => {
  const control = new AbortController();
  const { body } = await tlsFetch({ ca })(`${url}/stream`, { signal: control.signal });
  const reader = body!.getReader();
  expect(new TextDecoder().decode((await reader.read()).value as Uint8Array)).toBe('first');
  control.abort();
  await expect(reader.read()).rejects.toThrow(/abort/);
  await expect(tlsFetch({ ca })(url, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
});

it.each([
  ['one key', [PIN], null],
  ['a key, as curl writes it', [`sha256//${PIN}`], null],
  ['a key, as others write it, and the next one', [`sha256/${OTHER}`, `sha256/${PIN}`], null],
  ['another key', [OTHER], LOST],
  ['the key of the authority, which the server only names', [pinOf(authority)], LOST],
])('lets in a server with %s', async (_, pins, code) => {
  const answer = tlsFetch({ ca, pins })(url, {}).then(
    async (got) => (await got.text()) && null,
    ({ code, outcome, message }: UmbraError) => /ERR_\w+/.exec(message)?.[0] + ` ${code} ${outcome}`,
  );
  expect(await answer).toBe(code);
});

it('checks authority and name beside the key', async () => {
  await expect(tlsFetch({ pins: [PIN] })(url, {})).rejects.toMatchObject({ code: 'SELF_SIGNED_CERT_IN_CHAIN' });
  const address = url.replace('localhost', '127.0.0.1');
  await expect(tlsFetch({ ca, pins: [PIN] })(address, {})).rejects.toMatchObject({
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
});

describe('pins where certificates are not verified', () => {
  const pinned = { thing: 'lamp', ca, tls: { pins: [OTHER] } };

  it('hold beside NODE_TLS_REJECT_UNAUTHORIZED=0', async () => {
    const real = tls.connect as (options: ConnectionOptions) => TLSSocket;
    // As that variable does, which the process of a test shares with others.
    const unverified = (options: ConnectionOptions): TLSSocket => real({ rejectUnauthorized: false, ...options });
    const spy = jest.spyOn(tls, 'connect').mockImplementation(unverified as typeof tls.connect);
    asked = 0;
    await expect(tlsFetch({ ca, pins: [OTHER] })(url, {})).rejects.toThrow('ERR_TLS_PIN_MISMATCH');
    const device = connect({ ...pinned, url: url.replace('https', 'wss'), timeoutMs: 5_000 });
    await expect(device).rejects.toMatchObject({ cause: { code: 'ERR_TLS_PIN_MISMATCH' } });
    expect([asked, spy.mock.calls.length]).toEqual([0, 2]);
    spy.mockRestore();
  });

  it.each([
    ['mqtts', { rejectUnauthorized: false }],
    ['wss', { rejectUnauthorized: false }],
    ['wss', { wsOptions: { rejectUnauthorized: false } }],
  ])('are refused with %s and %j', async (protocol, mqtt) => {
    const refused = connect({ ...pinned, url: `${protocol}://localhost:1`, mqtt });
    await expect(refused).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

it.each([
  ['no pins', { pins: [] }, /tls.pins is empty/],
  ['a pin in hexadecimal', { pins: ['ab'.repeat(32)] }, /base64/],
  ['a shorter pin', { pins: ['47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF='] }, /base64/],
  ['a certificate without a key', { cert: client.pem }, /go together/],
  ['a key of another', { cert: client.pem, key: own.key }, /do not go together/],
  ['what is no PEM', { cert: 'x', key: client.key }, /no PEM/],
])('refuses %s', (_, options, message) => {
  expect(() => tlsFetch(options)).toThrow(message);
});

describe('a certificate as a credential', () => {
  it('is shown, and its key to nobody', async () => {
    const auth = certificate({ ca, ...pair });
    const umbra = new Umbra({ url, auth });
    expect(JSON.parse((await umbra.call({ path: '/x' })).text)).toMatchObject({ shown: 'lamp-1' });
    expect(inspect(auth, { depth: 9 }) + JSON.stringify(auth) + inspect(umbra, { depth: 9 })).not.toMatch(/BEGIN/);
    expect(auth.tls).toMatchObject(pair);
  });

  it('needs TLS, and its own connections', async () => {
    const auth = certificate({ ca, ...pair });
    expect(() => new Umbra({ url: 'http://localhost', auth })).toThrow(/https/);
    await expect(connect({ url: 'mqtt://localhost:1', thing: 'lamp', auth })).rejects.toThrow(/an address with TLS/);
    expect(() => new Umbra({ url, auth, fetch })).toThrow(/leave the option fetch out/);
  });
});
