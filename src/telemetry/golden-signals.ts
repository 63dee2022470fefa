import { performance } from 'node:perf_hooks';
import type { Metrics } from './metrics.js';
import type { Family, Sample } from './recorder.js';
import type { Outcome } from './request-metrics.js';

/** Milliseconds between two looks. */
const LOOK_MS = 10_000;
/** Milliseconds that are a time of their own: of less, one request would be a thousand a second. */
const LEAST_MS = 1_000;
/** 15 minutes. */
const MAX_LOOKS = 91;
/** Outcomes that the service answers for; all others are answers that a caller has asked for. */
const FAILED: ReadonlySet<string> = new Set<Outcome>(['unavailable', 'unknown', 'internal', 'storage_full']);

/** What the counters said at one moment. */
interface Look {
  /** Milliseconds of the process. */
  readonly at: number;
  readonly ok: number;
  readonly refused: number;
  readonly failed: number;
  /** Requests that took at most so many seconds, without watch streams. */
  readonly within: ReadonlyMap<number, number>;
  readonly inFlight: number;
  readonly loop: ReturnType<typeof performance.eventLoopUtilization>;
}

/** The golden signals of the time between two looks. */
export interface Signals {
  /** Seconds before now at which it ends. */
  readonly ago: number;
  /** Requests a second. */
  readonly ok: number;
  readonly refused: number;
  readonly failed: number;
  /** Seconds; null: there was no request. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** At its end. */
  readonly inFlight: number;
  /** Share of the time in which the event loop was busy. */
  readonly busy: number;
}

/** Traffic, errors, times and saturation of the last 15 minutes, from the recorders of this node alone. */
export class GoldenSignals {
  readonly #looks: Look[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly metrics: Pick<Metrics, 'requests'>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Begins to look, every ten seconds; to be ended with `stop`. */
  start(): void {
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  look(): void {
    this.#looks.push(this.#present());
    if (this.#looks.length > MAX_LOOKS) this.#looks.shift();
  }

  /** The oldest first; the last one ends now. */
  history(): Signals[] {
    const last = this.#present();
    const isShort = this.#looks.length > 1 && last.at - this.#looks.at(-1)!.at < LEAST_MS;
    const looks = [...(isShort ? this.#looks.slice(0, -1) : this.#looks), last];
    return looks.slice(1).map((look, at) => between(looks[at]!, look, last.at));
  }

  #present(): Look {
    const { requests, durations, inFlight } = this.metrics.requests;
    const counts = { ok: 0, refused: 0, failed: 0 };
    for (const { labels, value } of samplesOf(requests)) {
      const outcome = valueOf(labels, 'outcome') ?? '';
      counts[outcome === 'ok' ? 'ok' : FAILED.has(outcome) ? 'failed' : 'refused'] += value;
    }
    const within = new Map<number, number>();
    for (const { suffix, labels, value } of samplesOf(durations)) {
      if (suffix !== '_bucket' || valueOf(labels, 'operation') === 'watch') continue;
      const bound = Number(valueOf(labels, 'le')!.replace('+Inf', 'Infinity'));
      within.set(bound, (within.get(bound) ?? 0) + value);
    }
    return {
      ...{ at: this.now(), ...counts, within, loop: performance.eventLoopUtilization() },
      inFlight: samplesOf(inFlight).reduce((sum, { value }) => sum + value, 0),
    };
  }
}

const samplesOf = (family: Family): readonly Sample[] => family.samples() ?? [];
const valueOf = (labels: readonly string[], name: string): string | undefined => {
  const at = labels.indexOf(name);
  return at < 0 ? undefined : labels[at + 1];
};

function between(from: Look, to: Look, now: number): Signals {
  // Two looks at the same moment are no time.
  const seconds = Math.max((to.at - from.at) / 1000, 0.001);
  const buckets = [...to.within].map(([bound, count]) => [bound, count - (from.within.get(bound) ?? 0)] as const);
  return {
    ago: (now - to.at) / 1000,
    ok: (to.ok - from.ok) / seconds,
    refused: (to.refused - from.refused) / seconds,
    failed: (to.failed - from.failed) / seconds,
    p50: quantile(0.5, buckets),
    p99: quantile(0.99, buckets),
    inFlight: to.inFlight,
    busy: performance.eventLoopUtilization(to.loop, from.loop).utilization,
  };
}

/**
 * As `histogram_quantile` of Prometheus: by the place in its bucket; what is above all of them has the last bound.
 * @param buckets counts of the values up to their bounds, which rise
 */
export function quantile(q: number, buckets: readonly (readonly [bound: number, count: number])[]): number | null {
  const all = buckets.at(-1)?.[1] ?? 0;
  if (all <= 0) return null;
  const rank = q * all;
  const at = buckets.findIndex(([, count]) => count >= rank);
  const [bound, count] = buckets[at]!;
  const [low, below] = buckets[at - 1] ?? [0, 0];
  if (bound === Infinity) return low;
  return low + ((bound - low) * (rank - below)) / (count - below);
}
