import { Counter } from './recorder.js';
import { DECISIONS, type Decision } from './sampling.js';

/** Traces of requests, and their way to the receiver. */
export class TraceMetrics {
  readonly traces = new Counter({
    name: 'umbra_traces',
    help: 'Requests that were traced, by why. dropped: would be, if the node had not kept as many as it may in a second.',
    labels: { decision: DECISIONS },
  });
  readonly exportFailures = new Counter({
    name: 'umbra_export_failures',
    help: 'Spans that the receiver did not get: it failed, did not answer in time, or takes them slower than they come.',
    labels: { signal: ['traces'] },
  });
  readonly lostSpans = this.exportFailures.bind('traces');
  readonly #cells = Object.fromEntries(DECISIONS.map((each) => [each, this.traces.bind(each)])) as Record<
    Decision,
    number
  >;

  decided(decision: Decision): void {
    this.traces.add(this.#cells[decision]);
  }
}
