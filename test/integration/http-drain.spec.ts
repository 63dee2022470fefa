import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { bulk, BulkClient } from '../harness/bulk-client.js';
import { startHttpNode, type HttpNode, type HttpNodeOptions } from '../harness/http-node.js';
import { until } from '../harness/until.js';

/** What a client gets whose request has arrived when the node begins to drain. */

const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;

let node: HttpNode;
let stopped: Promise<void> | null = null;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await (stopped ?? node.stop());
  stopped = null;
});

const start = async (options: HttpNodeOptions = {}): Promise<void> => void (node = await startHttpNode(options));

async function open(): Promise<Socket> {
  const socket = connect(node.port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status ?? '');

it('answers the second of two pipelined requests, although the first was answered during the drain', async () => {
  const releases: (() => void)[] = [];
  const get = (): Promise<null> => new Promise((resolve) => releases.push(() => resolve(null)));
  await start({ wrap: (store) => Object.assign(Object.create(store) as typeof store, { get }) });
  const socket = await open();
  const bystander = await open();
  const text = untilClosed(socket);
  const gone = untilClosed(bystander);
  socket.write(request('/things/a/shadow') + request('/things/b/shadow'));
  await until('both are in flight', () => releases.length === 2);
  stopped = node.stop();
  // A connection that waits for nothing keeps no drain up.
  expect(await gone).toBe('');
  const first = once(socket, 'data');
  releases[0]?.();
  await first;
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
  releases[1]?.();
  expect(statuses(await text)).toEqual(['404', '404']);
});

it('answers or refuses every request that has arrived, read or not', async () => {
  await start();
  const all = await Promise.all(Array.from({ length: 20 }, open));
  const texts = all.map(untilClosed);
  // Half of them have been served before.
  const kept = all.filter((_, i) => i % 2 === 0);
  await Promise.all(kept.map((each) => (each.write(request('/health/live')), once(each, 'data'))));
  for (const each of all) each.write(request('/things/a/shadow'));
  stopped = node.stop();
  const answers = await Promise.all(texts);
  for (const text of answers) expect(statuses(text).at(-1)).toMatch(/404|503/);
  expect(answers.flatMap(statuses)).toHaveLength(all.length + kept.length);
});

it('sends an answer to its end that its client takes slowly', async () => {
  await start({ limits: { maxDocumentBytes: 100_000, maxRequestBytes: 120_000 } });
  const body = JSON.stringify({ state: { desired: { text: 'x'.repeat(90_000) } } });
  expect((await fetch(`${node.url}/things/large/shadow`, { method: 'POST', body })).status).toBe(200);
  const socket = await open();
  // More than the buffers of the system take.
  const count = 50;
  socket.pause();
  socket.write(request('/things/large/shadow').repeat(count));
  await until('the answers wait', () => socket.bytesRead > 0 || socket.readableLength > 0);
  const live = await fetch(`${node.url}/health/live`);
  expect(live.status).toBe(200);
  stopped = node.stop();
  const text = await untilClosed(socket);
  expect(statuses(text)).toHaveLength(count);
  expect(text.length).toBeGreaterThan(count * 90_000);
});

describe('a bulk request', () => {
  const on = { thing: 'lamp', desired: { on: true } };

  it('ends between its lines when the node drains, and says so', async () => {
    await start();
    const client = new BulkClient(node.url);
    const results = client.results();
    client.send(on, on);
    expect([(await results.next()).value, (await results.next()).value]).toMatchObject([
      { version: 1 },
      { version: 2 },
    ]);
    client.send('{"thing":"lamp",');
    stopped = node.stop();
    expect((await results.next()).value).toMatchObject({
      end: { reason: 'draining', message: expect.stringContaining('another one') as string, lines: 2, changed: 2 },
    });
    expect((await results.next()).done).toBe(true);
  });

  it('is read no further than its client reads the results; bystanders are served meanwhile', async () => {
    await start();
    const client = new BulkClient(node.url);
    // Long results of lines that are refused: 900 bytes each.
    const line = JSON.stringify({ id: '\u0001'.repeat(128) });
    const batch = Array<string>(200).fill(line);
    let sent = 0;
    for (let isTaken = true; isTaken && sent < 200_000; sent += batch.length)
      isTaken = client.send(...batch) || (await Promise.race([client.drained().then(() => true), pause(500, false)]));
    expect(sent).toBeLessThan(200_000);
    expect(client.unsent).toBeGreaterThan(0);
    const other = await bulk(node.url, Array<object>(100).fill(on));
    expect(other.at(-1)!.end).toMatchObject({ reason: 'complete', changed: 100 });
    const all = client.all();
    client.end();
    expect((await all).at(-1)!.end).toEqual({
      reason: 'complete',
      lines: sent,
      changed: 0,
      replayed: 0,
      refused: sent,
    });
  });

  it('may take longer to arrive than other requests', async () => {
    await start();
    const server = node.app.getHttpServer() as Server;
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = new BulkClient(node.url);
    const results = client.results();
    client.send(on);
    expect((await results.next()).value).toMatchObject({ version: 1 });
    const [socket] = await accepted;
    // As Node does it when a request has not arrived in time.
    server.emit('clientError', Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
    client.send(on);
    client.end();
    expect([(await results.next()).value, (await results.next()).value]).toMatchObject([
      { version: 2 },
      { end: { reason: 'complete', changed: 2 } },
    ]);
  });

  it('is one of four of its tenant; the fifth is refused before it is read', async () => {
    await start();
    const clients = Array.from({ length: 4 }, () => new BulkClient(node.url));
    const open = clients.map(async (client) => {
      client.send(on);
      return (await client.results().next()).value as object;
    });
    expect(await Promise.all(open)).toHaveLength(4);
    const fifth = await fetch(`${node.url}/v1/bulk`, { method: 'POST', body: JSON.stringify(on) });
    expect([fifth.status, await fifth.text()]).toEqual([
      429,
      expect.stringContaining('4 bulk requests of this tenant'),
    ]);
    clients[0]!.cut();
    await until('there is a place again', async () => (await bulk(node.url, []).catch(() => [])).length === 1);
    for (const client of clients) client.cut();
  });

  it('ends at a line that is too long, and hears its client out', async () => {
    await start();
    const client = new BulkClient(node.url);
    const all = client.all();
    client.send(on, `{"thing":"${'x'.repeat(40_000)}`, on);
    expect((await all).map(({ version, end }) => end?.reason ?? version)).toEqual([1, 'line-too-long']);
    client.end();
  });

  it('hears a client out that reads when it has sent all', async () => {
    await start();
    const socket = await open();
    // More than the buffers of both systems take.
    const body = Buffer.alloc(20 * 1024 * 1024, 'x');
    socket.pause();
    socket.write(`POST /v1/bulk HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n`);
    if (!socket.write(body)) await once(socket, 'drain');
    expect(await untilClosed(socket)).toContain('"reason":"line-too-long"');
  });
});
