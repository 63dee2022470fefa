import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { EventReader } from '../harness/event-reader.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { freePort } from '../harness/ports.js';
import { until } from '../harness/until.js';

describe('HTTPS', () => {
  let authority: Authority;
  let node: HttpNode;
  beforeAll(async () => {
    authority = await createAuthority();
    const { cert, key } = authority.server;
    node = await startHttpNode({ tls: { cert, key, ca: null }, http: { tlsPort: await freePort() } });
  });
  afterAll(async () => {
    await node.stop();
    await authority.remove();
  });

  function send(
    method: string,
    path: string,
    body = '',
    url = node.httpsUrl,
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const ca = readFileSync(authority.ca);
      const sent = request(`${url}${path}`, { method, ca }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.on('error', reject).end(body);
    });
  }

  it('serves the same routes as HTTP', async () => {
    expect((await send('POST', '/things/tls/shadow', '{"state":{"reported":{"a":1}}}')).status).toBe(200);
    expect(await (await fetch(`${node.url}/things/tls/shadow`)).json()).toMatchObject({
      state: { reported: { a: 1 } },
    });
    expect(await send('PUT', '/things/tls/shadow')).toMatchObject({
      status: 405,
      text: expect.stringContaining('traceId'),
    });
  });

  it('refuses TLS 1.1', async () => {
    const { port } = new URL(node.httpsUrl ?? '');
    const socket = connect({
      port: Number(port),
      host: '127.0.0.1',
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ca: readFileSync(authority.ca),
    });
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toMatch(/protocol|alert|unsupported|version/i);
  });

  it('finishes what is in flight when it closes', async () => {
    const { cert, key } = authority.server;
    let arrived = (): void => undefined;
    let release = (): void => undefined;
    const inFlight = new Promise<void>((resolve) => (arrived = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    const other = await startHttpNode({
      tls: { cert, key, ca: null },
      http: { tlsPort: await freePort() },
      wrap: (store) =>
        Object.assign(Object.create(store) as typeof store, {
          get: async () => {
            arrived();
            await released;
            return null;
          },
        }),
    });
    const port = Number(new URL(other.httpsUrl ?? '').port);
    const silent = connect({ port, host: '127.0.0.1', ca: readFileSync(authority.ca) });
    silent.on('error', () => undefined);
    await new Promise((resolve) => silent.once('secureConnect', resolve));
    const cut = new Promise((resolve) => silent.once('close', resolve));
    const answer = send('GET', '/things/t/shadow', '', other.httpsUrl);
    await inFlight;
    const stopped = other.stop();
    await cut;
    release();
    expect((await answer).status).toBe(404);
    await stopped;
  });

  it('has one limit of connections with HTTP: those that wait for nothing give way, handshakes too', async () => {
    const { cert, key } = authority.server;
    const http = { tlsPort: await freePort(), maxConnections: 4 };
    const other = await startHttpNode({ tls: { cert, key, ca: null }, http });
    const port = Number(new URL(other.httpsUrl ?? '').port);
    const ca = readFileSync(authority.ca);
    const sockets: Socket[] = [];
    try {
      for (let i = 0; i < 10; i++) {
        const plain = connectTcp(other.port, '127.0.0.1');
        const begun = connectTcp(port, '127.0.0.1');
        const secure = connect({ port, host: '127.0.0.1', ca });
        sockets.push(plain, begun, secure);
        for (const socket of [plain, begun, secure]) socket.on('error', () => undefined).resume();
        await new Promise((resolve) => secure.once('secureConnect', resolve).once('close', resolve));
        expect((await send('GET', '/health/live', '', other.httpsUrl)).status).toBe(200);
        expect((await fetch(`${other.url}/health/live`, { headers: { connection: 'close' } })).status).toBe(200);
      }
      await until('all but four are closed', () => sockets.filter(({ closed }) => !closed).length <= 4);
      // Those that are closed are counted no more.
      for (const socket of sockets) socket.destroy();
      expect((await send('GET', '/health/live', '', other.httpsUrl)).status).toBe(200);
    } finally {
      for (const socket of sockets) socket.destroy();
      await other.stop();
    }
  });

  it('closes with the node, a silent connection and a stream included', async () => {
    const { cert, key } = authority.server;
    const other = await startHttpNode({ tls: { cert, key, ca: null }, http: { tlsPort: await freePort() } });
    const silent = connect({
      port: Number(new URL(other.httpsUrl ?? '').port),
      host: '127.0.0.1',
      ca: readFileSync(authority.ca),
    });
    await new Promise((resolve) => silent.once('secureConnect', resolve));
    silent.on('error', () => undefined);
    const stream = await EventReader.open(`${other.url}/v1/watch`);
    await other.stop();
    expect((await stream.nextOf('end')).data['reason']).toBe('draining');
    await new Promise((resolve) => (silent.destroyed ? resolve(null) : silent.once('close', resolve)));
  });
});
