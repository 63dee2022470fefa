import { CALL_RESULTS, type CallResult, type EtcdMetrics } from '../../../telemetry/storage-metrics.js';
import { CallHung, classify, type EtcdFault } from './etcd-error.js';

const RESULTS: Readonly<Record<EtcdFault, CallResult>> = {
  'not-applied': 'not_applied',
  'in-doubt': 'in_doubt',
  'storage-full': 'storage_full',
  'too-large': 'too_large',
  'lease-gone': 'lease_gone',
  refused: 'refused',
};

/** Counts and times the calls to one member. */
export class CallCounts {
  readonly #cells: Readonly<Record<CallResult, number>>;
  readonly #left: number;

  constructor(
    private readonly metrics: EtcdMetrics,
    member: string,
  ) {
    const cells = CALL_RESULTS.map((result) => [result, metrics.calls.bind(member, result)]);
    this.#cells = Object.fromEntries(cells) as Record<CallResult, number>;
    this.#left = metrics.switches.bind(member);
  }

  /** The result of the call. @throws what the call throws */
  async of<T>(method: 'txn' | 'other', call: Promise<T>): Promise<T> {
    const { calls, duration, durationOf } = this.metrics;
    const start = performance.now();
    try {
      const result = await call;
      calls.add(this.#cells.ok);
      return result;
    } catch (error) {
      calls.add(this.#cells[error instanceof CallHung ? 'hung' : RESULTS[classify(error)]]);
      throw error;
    } finally {
      duration.observe(durationOf[method], performance.now() - start);
    }
  }

  /** Calls have left this member for the next one. No errors. */
  left(): void {
    this.metrics.switches.add(this.#left);
  }
}
