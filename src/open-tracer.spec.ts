import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OtlpReceiver } from '../test/harness/otlp-receiver.js';
import { loadConfig } from './config/load-config.js';
import { openTracer } from './open-tracer.js';
import { SYSTEM_CLOCK } from './resilience/clock.js';
import { SILENT_LOGGER } from './telemetry/logger.js';
import { cellOf } from './telemetry/sampling.js';
import { TraceMetrics } from './telemetry/trace-metrics.js';

const folder = mkdtempSync(join(tmpdir(), 'umbra-traces-'));
const path = join(folder, 'headers');
let receiver: OtlpReceiver;
beforeAll(async () => void (receiver = await OtlpReceiver.start()));
afterAll(async () => {
  await receiver.stop();
  rmSync(folder, { recursive: true });
});

const metrics = new TraceMetrics();
const open = (environment: Record<string, string>) =>
  openTracer(loadConfig(environment), { metrics, clock: SYSTEM_CLOCK, logger: SILENT_LOGGER });
const withHeaders = (text: string) => {
  writeFileSync(path, text);
  return open({ UMBRA_TRACE_ENDPOINT: receiver.url, UMBRA_TRACE_HEADERS: path, UMBRA_TRACE_RULES: '10000' });
};

it('traces nothing without a receiver, and has the rules of the environment', async () => {
  const { tracer, close } = await open({ UMBRA_TRACE_RULES: 'mqtt/*/acme=7,10', UMBRA_TRACE_SLOW_MS: '0' });
  expect(tracer.isOn).toBe(false);
  expect(tracer.sampler.rules).toEqual({
    ...{ rules: [{ door: 'mqtt', tenant: 'acme', rate: 7 }, { rate: 10 }] },
    ...{ failed: true, slowMs: null, maxPerSecond: 50 },
  });
  await close(0);
});

it('sends what waits as it ends, with the headers of its file', async () => {
  const { tracer, close } = await withHeaders('Authorization: Bearer a:b \r\n\nx-tenant:\tacme\n');
  const cell = cellOf('http', 'get');
  tracer.keep(tracer.begins(cell, 't', null, 1)!, cell, 'ok', { start: 1, end: 2 }, {});
  await close(10_000);
  expect(receiver.heads).toEqual([expect.objectContaining({ authorization: 'Bearer a:b', 'x-tenant': 'acme' })]);
  expect(metrics.exportFailures.value(metrics.lostSpans)).toBe(0);
});

it.each([
  ['Bearer secret', 'line 1 is no header'],
  ['a: b\nAuthorization Bearer secret', 'line 2 is no header'],
  ['a: secret\u0001', 'line 1 is no header'],
  ['a b: secret', 'line 1 is no header'],
])('refuses other lines, and shows none: %j', async (text, problem) => {
  const error = await withHeaders(text).catch((each: Error) => each.message);
  expect(error).toContain(problem);
  expect(error).not.toContain('secret');
});

it('refuses a file that is not there, and does not show what may be the header itself', async () => {
  const given = { UMBRA_TRACE_ENDPOINT: receiver.url, UMBRA_TRACE_HEADERS: 'Bearer secret' };
  const error = await open(given).catch((each: Error) => each.message);
  expect(error).toContain('cannot be read (ENOENT)');
  expect(error).not.toContain('secret');
});

it.each([
  ['UMBRA_TRACE_ENDPOINT', 'http://u:p@host/v1/traces'],
  ['UMBRA_TRACE_ENDPOINT', 'http://host:4318'],
  ['UMBRA_TRACE_ENDPOINT', 'grpc://host/v1/traces'],
  ['UMBRA_TRACE_RULES', 'ftp=1'],
  ['UMBRA_TRACE_RULES', '1,'],
  ['UMBRA_TRACE_RULES', '10001'],
])('refuses %s=%s', (name, value) => expect(() => loadConfig({ [name]: value })).toThrow(name));
