import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from '../../test/harness/ports.js';
import { loadConfig } from '../config/load-config.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { Metrics } from '../telemetry/metrics.js';
import { MetricsListener } from './metrics-listener.js';

const folder = mkdtempSync(join(tmpdir(), 'umbra-metrics-'));
const file = join(folder, 'token');
const token = 'a-token-of-a-scraper';
writeFileSync(file, `${token}\n`);
afterAll(() => rmSync(folder, { recursive: true }));

async function listening(
  env: Record<string, string> = {},
): Promise<{ url: string; port: number; end(): Promise<void> }> {
  const port = await freePort();
  const listener = new MetricsListener(loadConfig({ UMBRA_NODE_ID: 'n1', ...env }), new Metrics(), SILENT_LOGGER);
  return { url: await listener.open(port), port, end: () => listener.close() };
}

describe('MetricsListener', () => {
  let page: Awaited<ReturnType<typeof listening>>;
  beforeAll(async () => (page = await listening()));
  afterAll(() => page.end());

  it('answers GET and HEAD of /metrics in the format that is asked for', async () => {
    const plain = await fetch(page.url);
    expect([plain.status, plain.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(await plain.text()).toContain('node="n1"} 1\n');
    const open = await fetch(`${page.url}?x=1`, { headers: { accept: 'application/openmetrics-text' } });
    expect(open.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(await open.text()).toMatch(/\n# EOF\n$/);
    const head = await fetch(page.url, { method: 'HEAD' });
    expect([head.status, Number(head.headers.get('content-length')) > 100, await head.text()]).toEqual([200, true, '']);
  });

  it('answers /status with a page that no script can be in', async () => {
    const answer = await fetch(new URL('/status', page.url));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(answer.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']{44}'; base/,
    );
    expect(answer.headers.get('refresh')).toBe('10');
    const html = await answer.text();
    expect(html).toContain('<h1>Umbra n1, ');
    for (const title of ['Traffic', 'Errors', 'Latency', 'Saturation']) expect(html).toContain(`<h2>${title}</h2>`);
    expect(html).not.toMatch(/<script|style="|NaN|Infinity|http:/);
  });

  it.each([
    ['POST', '/metrics', {}, 405],
    ['POST', '/status', {}, 405],
    ['GET', '/status', { host: 'evil.example' }, 400],
    ['GET', '/constructor', {}, 404],
    ['GET', '/', {}, 404],
    ['GET', '/metrics/x', {}, 404],
    // A name that a page of another site has pointed here.
    ['GET', '/metrics', { host: 'evil.example' }, 400],
    ['GET', '/metrics HTTP/9', {}, 400],
  ] as const)('refuses %s %s with %j by %d', async (method, path, headers, status) => {
    const socket = connect(page.port, '127.0.0.1');
    const all = Object.entries({ host: 'localhost', ...headers });
    socket.write(`${method} ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    expect(await text(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(socket.readableEnded).toBe(true);
  });

  it('serves a bounded number of connections, and closes them as it ends', async () => {
    const own = await listening();
    const sockets = Array.from({ length: 20 }, () => connect(own.port, '127.0.0.1').on('error', () => undefined));
    const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    await Promise.race(closed);
    await Promise.all([own.end(), ...closed]);
    await expect(fetch(own.url)).rejects.toThrow('fetch failed');
  });

  it('says which port is taken', async () => {
    const other = new MetricsListener(loadConfig({}), new Metrics(), SILENT_LOGGER);
    await expect(other.open(page.port)).rejects.toMatchObject({ code: 'EADDRINUSE', port: page.port });
  });
});

describe('with a token', () => {
  let page: Awaited<ReturnType<typeof listening>>;
  beforeAll(async () => (page = await listening({ UMBRA_METRICS_TOKEN: file })));
  afterAll(() => page.end());

  it.each([
    ['/none', 'names a file that cannot be read (ENOENT)'],
    ['package.json', 'holds no token of 16 to 512'],
  ])('of %s it does not start', (path, problem) => {
    const config = loadConfig({ UMBRA_METRICS_TOKEN: path });
    expect(() => new MetricsListener(config, new Metrics(), SILENT_LOGGER)).toThrow(problem);
  });

  it.each([
    [`Bearer ${token}`, 200],
    [`bearer ${token}`, 200],
    [`Bearer ${token}x`, 401],
    [`Basic ${token}`, 401],
    ['', 401],
  ])('%s: %d', async (authorization, status) => {
    const answer = await fetch(page.url, { headers: authorization === '' ? {} : { authorization } });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
  });
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  it.each([
    [basic(`anybody:${token}`), 200],
    [basic(`:${token}`), 200],
    [`Bearer ${token}`, 200],
    [basic(`anybody:${token}:`), 401],
    [basic(token), 401],
    [basic(''), 401],
    ['Basic', 401],
    ['', 401],
  ])('/status, %s: %d', async (authorization, status) => {
    const headers: Record<string, string> = authorization === '' ? {} : { authorization };
    const answer = await fetch(new URL('/status', page.url), { headers });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Basic realm="umbra", charset="UTF-8"' : null);
    expect((await answer.text()).includes('<svg')).toBe(status === 200);
  });
});
