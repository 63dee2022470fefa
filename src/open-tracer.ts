import { readFileSync } from 'node:fs';
import { ConfigError } from './config/config-error.js';
import type { Config } from './config/config.js';
import type { Clock } from './resilience/clock.js';
import type { Logger } from './telemetry/logger.js';
import { Sampler } from './telemetry/sampling.js';
import { SpanQueue } from './telemetry/span-queue.js';
import type { TraceMetrics } from './telemetry/trace-metrics.js';
import { Tracer } from './telemetry/tracer.js';
import { VERSION } from './telemetry/version.js';

export interface OpenedTracer {
  readonly tracer: Tracer;
  /** Sends what waits for the receiver, for at most so many milliseconds. */
  close(withinMs: number): Promise<void>;
}

export interface TracerMeans {
  readonly metrics: TraceMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The tracer of a node. Without a receiver it traces nothing, and loads nothing.
 * @throws ConfigError for a file of headers that cannot be read, or has other lines
 */
export async function openTracer({ trace, nodeId }: Config, means: TracerMeans): Promise<OpenedTracer> {
  const { metrics, clock, logger } = means;
  const { endpoint, slowMs, rules, failed, maxPerSecond } = trace;
  const sampler = new Sampler({ rules, failed, maxPerSecond, slowMs: slowMs === 0 ? null : slowMs });
  if (endpoint === null) return { tracer: new Tracer({ sampler, metrics, clock }), close: () => Promise.resolve() };
  const headers = trace.headers === null ? {} : readHeaders(trace.headers);
  const { otlpSender } = await import('./telemetry/otlp.js');
  const resource = { 'service.name': 'umbra', 'service.version': VERSION, 'service.instance.id': nodeId };
  const send = await otlpSender({ url: endpoint, headers, resource });
  const lost = (spans: number): void => metrics.exportFailures.add(metrics.lostSpans, spans);
  const queue = new SpanQueue({ send, lost, logger });
  logger.info({ endpoint }, 'traces are exported');
  return {
    tracer: new Tracer({ sampler, metrics, clock, taker: queue }),
    close: (withinMs) => queue.close(withinMs),
  };
}

/** RFC 9110 section 5.1. */
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}):[ \t]*([\x21-\x7e][\x20-\x7e]{0,4095})$/;

/** One header on each line, as HTTP writes it. No error shows one, or the path: some people put the header itself there. */
function readHeaders(path: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw bad(`names a file that cannot be read (${code}); give the path of a file that this user may read`);
  }
  const headers: Record<string, string> = {};
  text.split(/\r?\n/).forEach((line, i) => {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name !== undefined && value !== undefined) headers[name] = value.trimEnd();
    else if (line.trim() !== '')
      throw bad(`names a file whose line ${i + 1} is no header; write one on each, such as Authorization: Bearer …`);
  });
  return headers;
}

const bad = (problem: string): ConfigError => new ConfigError([{ variable: 'UMBRA_TRACE_HEADERS', problem }]);
