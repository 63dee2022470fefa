import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
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
