import { parseRule, SamplingFault } from '../telemetry/sampling-rules.js';
import { MAX_PER_SECOND, MAX_RULES, MAX_SLOW_MS, type SamplingRule } from '../telemetry/sampling.js';
import { file, flag, integer, text, type Parsed, type Variable } from './kinds.js';

function parseRules(given: string): Parsed<readonly SamplingRule[]> {
  const entries = given.split(',');
  if (entries.length > MAX_RULES) return { problem: `must have at most ${MAX_RULES} rules` };
  try {
    return { value: entries.map(parseRule) };
  } catch (error) {
    if (error instanceof SamplingFault) return { problem: error.message };
    throw error;
  }
}

const rules: Variable<readonly SamplingRule[], 'trace.rules'> = {
  ...{ path: 'trace.rules', default: [{ rate: 100 }], defaultText: '100', unit: 'parts per 10,000', secret: false },
  type: 'comma-separated rules',
  meaning:
    'How many requests are traced, where an endpoint is given: one rate for all, or rules door/operation/tenant=rate, of which the first that covers a request decides; * covers all, and what follows it may be left out.',
  example: 'mqtt/update/acme=1000,http=100,10',
  parse: parseRules,
};

/** The variables of traces: docs/tracing.md. */
export const TRACE_VARIABLES = {
  UMBRA_TRACE_ENDPOINT: text('trace.endpoint', null, {
    type: 'URL',
    pattern: /^https?:\/\/[^\s@/?#]+\/[^\s@?#]*$/,
    problem: 'must be an http or https URL with its path and without a user',
    example: 'http://127.0.0.1:4318/v1/traces',
    meaning: 'Receiver of OTLP over HTTP, as protobuf. Without one nothing is traced.',
  }),
  UMBRA_TRACE_HEADERS: file('trace.headers', {
    meaning: 'File with headers for the receiver, such as Authorization: Bearer …, one on each line.',
    example: '/etc/umbra/trace.headers',
    secret: true,
  }),
  UMBRA_TRACE_RULES: rules,
  UMBRA_TRACE_FAILED: flag('trace.failed', true, {
    meaning: 'Trace every request that the node fails: unavailable, unknown, internal, too many, storage full.',
  }),
  UMBRA_TRACE_SLOW_MS: integer('trace.slowMs', 1_000, {
    ...{ min: 0, max: MAX_SLOW_MS, unit: 'ms' },
    meaning: 'Trace every request that takes longer; 0: none for being slow.',
  }),
  UMBRA_TRACE_MAX_PER_SECOND: integer('trace.maxPerSecond', 50, {
    ...{ min: 0, max: MAX_PER_SECOND, unit: 'traces' },
    meaning: 'Traces that the node keeps in a second, whatever the rules say.',
  }),
};
