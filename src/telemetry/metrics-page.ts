import { Metrics } from './metrics.js';
import { suffixOf } from './openmetrics.js';
import type { Family, LabelValues } from './recorder.js';

/** @param most series of a node */
const introduction = (most: number): string => `# Metrics

A node tells what it does as metrics of Prometheus: \`GET /metrics\` on a port of its own, which is off unless
\`UMBRA_METRICS_PORT\` is set ([configuration.md](configuration.md), section Metrics; [operations.md](operations.md#metrics)
says how to scrape it). Clients that ask for OpenMetrics 1.0 get it; others get the text format 0.0.4.

Values of labels come from closed sets or are bounded in number, so that no name of a thing, client or topic makes a
series: a node has at most ${most.toLocaleString('en')} of them, whatever its clients send.

Times are in seconds, in buckets from 0.5 ms to 8.192 s that double; in OpenMetrics those of requests, of commits and of
PUBACKs name traces as exemplars ([tracing.md](tracing.md)). A family is left out while the node has no source for it, for
example one about a door that is off.

This page is written from \`src/telemetry/metrics.ts\` by \`npm run docs:metrics\`; change it there.
`;

/** The text of docs/metrics.md. */
export function metricsPage(): string {
  const sections = Object.entries(new Metrics().groups()).map(([title, families]) =>
    [`## ${title}`, '', ...table(families), ''].join('\n'),
  );
  const most = new Metrics().families().reduce((sum, family) => sum + family.most, 0);
  return [introduction(most), ...sections].join('\n');
}

function table(families: readonly Family[]): string[] {
  const lines = families.map(({ name, type, labels = {}, help }) => {
    const shown = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${valuesText(values)}`);
    return `| \`${name}${suffixOf(type)}\` | ${type} | ${shown.join('; ')} | ${help} |`;
  });
  return ['| name | type | labels | meaning |', '| --- | --- | --- | --- |', ...lines];
}

function valuesText(values: LabelValues): string {
  if (typeof values !== 'number') return values.join(', ');
  return values === 1 ? 'one value' : `at most ${values} values`;
}
