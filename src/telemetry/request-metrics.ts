import { ERROR_TABLE, type ErrorRow, type ServiceErrorCode } from '../errors/error-table.js';
import { Counter, Gauge, Histogram } from './recorder.js';

export const DOORS = ['mqtt', 'http', 'grpc', 'external'] as const;
export type DoorName = (typeof DOORS)[number];

/** What requests ask for; `other` is all that is not about shadows. */
export const KINDS = ['get', 'update', 'delete', 'list', 'watch', 'transaction', 'bulk', 'other'] as const;
export type Kind = (typeof KINDS)[number];

export const OUTCOMES = [
  ...(['ok', 'invalid', 'conflict', 'not_found', 'too_large', 'denied', 'too_many'] as const),
  ...(['storage_full', 'unavailable', 'unknown', 'draining', 'internal'] as const),
] as const;
export type Outcome = (typeof OUTCOMES)[number];

const BY_CODE: Readonly<Partial<Record<ServiceErrorCode, Outcome>>> = {
  storageFull: 'storage_full',
  outcomeUnknown: 'unknown',
  draining: 'draining',
  internal: 'internal',
  noRoute: 'invalid',
};
const BY_STATUS: Readonly<Record<number, Outcome>> = {
  401: 'denied',
  403: 'denied',
  404: 'not_found',
  409: 'conflict',
  410: 'not_found',
  412: 'conflict',
  413: 'too_large',
  429: 'too_many',
  500: 'internal',
  503: 'unavailable',
};

/** The outcome of an answer without a row of the error table. */
export function outcomeOfStatus(status: number): Outcome {
  if (status < 400) return 'ok';
  return BY_STATUS[status] ?? (status < 500 ? 'invalid' : 'internal');
}

/** The outcome of every row of the error table. */
export const OUTCOME_OF = Object.fromEntries(
  Object.entries<ErrorRow>(ERROR_TABLE).map(([code, { http }]) => [
    code,
    BY_CODE[code as ServiceErrorCode] ?? outcomeOfStatus(http),
  ]),
) as Readonly<Record<ServiceErrorCode, Outcome>>;

/** By the action that a route declares, such as `shadow:get`. */
export function kindOf(action: string): Kind {
  const [resource, verb] = action.split(':');
  if (resource === 'transaction' || resource === 'bulk') return resource;
  if (resource !== 'shadow' && resource !== 'thing') return 'other';
  return KINDS.find((kind) => kind === verb) ?? 'other';
}

const PLACE = Object.fromEntries(OUTCOMES.map((outcome, i) => [outcome, i])) as Readonly<Record<Outcome, number>>;

/** The requests of one kind at one door. */
export class RequestRecorder {
  constructor(
    private readonly requests: Counter,
    private readonly durations: Histogram,
    /** The first of the cells of its outcomes, which follow each other. */
    private readonly base: number,
    private readonly duration: number,
  ) {}

  /** Counts a request that nobody has carried out. */
  count(outcome: Outcome): void {
    this.requests.add(this.base + PLACE[outcome]);
  }

  /** @param ms from its arrival to its answer */
  record(outcome: Outcome, ms: number): void {
    this.requests.add(this.base + PLACE[outcome]);
    this.durations.observe(this.duration, ms);
  }

  /** Remembers the trace of a request that was recorded. @param at epoch milliseconds */
  remember(ms: number, traceId: string, at: number): void {
    this.durations.remember(this.duration, ms, traceId, at);
  }
}

/** The requests of all doors. */
export class RequestMetrics {
  readonly requests = new Counter({
    name: 'umbra_requests',
    help: 'Requests that have ended, by door, by what they ask for, and by how they ended.',
    labels: { door: DOORS, operation: KINDS, outcome: OUTCOMES },
  });
  readonly durations = new Histogram({
    name: 'umbra_request_duration_seconds',
    help: 'Time from the arrival of a request to its answer; of watch streams their whole life.',
    labels: { door: DOORS, operation: KINDS },
  });
  readonly inFlight = new Gauge({
    name: 'umbra_requests_in_flight',
    help: 'Requests that are being carried out.',
    labels: { door: DOORS },
  });
  readonly #reads = new Map<DoorName, () => number>();

  /** Recorders of a door, bound at its start. */
  door<K extends Kind>(door: DoorName, kinds: readonly K[]): Readonly<Record<K, RequestRecorder>> {
    const entries = kinds.map((kind) => {
      const cells = OUTCOMES.map((outcome) => this.requests.bind(door, kind, outcome));
      const duration = this.durations.bind(door, kind);
      return [kind, new RequestRecorder(this.requests, this.durations, cells[0]!, duration)] as const;
    });
    return Object.fromEntries(entries) as Record<K, RequestRecorder>;
  }

  /** Says how many requests a door carries out. */
  readInFlight(door: DoorName, read: () => number): void {
    this.#reads.set(door, read);
    this.inFlight.read = () => [...this.#reads].map(([name, each]) => [[name], each()] as const);
  }
}
