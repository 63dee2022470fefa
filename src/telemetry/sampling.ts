import { DOORS, KINDS, type DoorName, type Kind, type Outcome } from './request-metrics.js';

/** Rates are parts of this many requests. */
export const WHOLE = 10_000;
/** Most rules of a node; each tenant that they name has a table of rates. */
export const MAX_RULES = 100;
/** Traces that a node may keep in a second, at most. */
export const MAX_PER_SECOND = 1_000;
/** A bound of slow requests, in milliseconds, is at most this. */
export const MAX_SLOW_MS = 600_000;
/** Requests that callers have marked and that count at once after a pause. */
const SAVED = 10;

/** How many of some requests are traced. Members that are absent cover all. */
export interface SamplingRule {
  readonly door?: DoorName | undefined;
  readonly operation?: Kind | undefined;
  readonly tenant?: string | undefined;
  /** Parts per 10,000. */
  readonly rate: number;
}

/** Which requests of a node are traced. */
export interface SamplingRules {
  /** The first rule that covers a request decides. Without one it is traced only as `failed` and `slowMs` say. */
  readonly rules: readonly SamplingRule[];
  /** Keeps every request that the node has failed. */
  readonly failed: boolean;
  /** Keeps every request that takes longer, in milliseconds; null: none for being slow. */
  readonly slowMs: number | null;
  /** Traces that the node keeps in a second, whatever else the rules say; 0: none. */
  readonly maxPerSecond: number;
}

/** Injection token of the Sampler of the node. */
export const SAMPLER = Symbol('Sampler');

export const NO_SAMPLING: SamplingRules = { rules: [], failed: false, slowMs: null, maxPerSecond: 0 };

export const DECISIONS = ['head', 'slow', 'failed', 'dropped'] as const;
/** Why a trace is kept; `dropped`: it would be, if the node had not kept as many as it may in a second. */
export type Decision = (typeof DECISIONS)[number];

const FAILED: ReadonlySet<Outcome> = new Set(['unavailable', 'unknown', 'internal', 'storage_full', 'too_many']);
/** Whether an outcome is the node's fault, or that of what it depends on. */
export const isFailure = (outcome: Outcome): boolean => FAILED.has(outcome);
/** A watch stream is meant to last. */
const LASTING: Kind = 'watch';

/** The rates of one tenant, or of all tenants that no rule names, by cell. */
interface Table {
  readonly rates: Float64Array;
  /** What callers that mark their requests have left, in parts per 10,000 of a request. */
  readonly credits: Float64Array;
}

/** The number of a door and a kind of request, which a door looks up once. */
export const cellOf = (door: DoorName, kind: Kind): number => DOORS.indexOf(door) * KINDS.length + KINDS.indexOf(kind);

/** Decides which requests are traced. Its rules can be replaced at any time. It knows no clock and no I/O. */
export class Sampler {
  #rules: SamplingRules = NO_SAMPLING;
  #others: Table = tableOf([], null);
  /** Null: no rule names a tenant. */
  #named: ReadonlyMap<string, Table> | null = null;
  #slowMs = Infinity;
  #left = 0;
  #refilledAt = -Infinity;
  #random: number;

  /** @param seed of the draws, not 0 */
  constructor(rules: SamplingRules = NO_SAMPLING, seed = (Math.random() * 0xffff_ffff) | 1) {
    this.#random = seed;
    this.replace(rules);
  }

  get rules(): SamplingRules {
    return this.#rules;
  }

  /** Holds for every request that begins or ends from now on. No errors: rules were checked by readSamplingRules. */
  replace(rules: SamplingRules): void {
    const tenants = new Set(rules.rules.flatMap(({ tenant }) => tenant ?? []));
    this.#rules = rules;
    this.#others = tableOf(rules.rules, null);
    this.#named = tenants.size === 0 ? null : new Map([...tenants].map((each) => [each, tableOf(rules.rules, each)]));
    this.#slowMs = rules.slowMs ?? Infinity;
    this.#left = rules.maxPerSecond;
  }

  /**
   * Whether a request that begins is traced. A caller that marks its requests gets as many traced as the rule allows of
   * all requests that it covers, and a few at once after a pause.
   * @param marked whether the caller's trace has the sampled flag; null: the caller has no trace
   * @param now milliseconds of the monotonic clock
   */
  begins(
    cell: number,
    tenant: string,
    marked: boolean | null,
    now: number,
  ): Extract<Decision, 'head' | 'dropped'> | null {
    const { rates, credits } = this.#named?.get(tenant) ?? this.#others;
    const rate = rates[cell]!;
    if (rate === 0) return null;
    const credit = Math.min(SAVED * WHOLE, credits[cell]! + rate);
    credits[cell] = credit;
    if (marked === false) return null;
    if (marked === null) {
      if (this.#draw() >= rate) return null;
    } else {
      if (credit < WHOLE) return null;
      credits[cell] = credit - WHOLE;
    }
    return this.#take(now) ? 'head' : 'dropped';
  }

  /** Whether a request that was not traced is kept now that it has ended; as `begins`. @param ms that it took */
  ends(kind: Kind, outcome: Outcome, ms: number, now: number): Exclude<Decision, 'head'> | null {
    const isFailed = this.#rules.failed && isFailure(outcome);
    if (!isFailed && !(ms > this.#slowMs && kind !== LASTING)) return null;
    if (!this.#take(now)) return 'dropped';
    return isFailed ? 'failed' : 'slow';
  }

  /** A second's worth is saved up. */
  #take(now: number): boolean {
    const { maxPerSecond } = this.#rules;
    const since = Math.max(0, now - this.#refilledAt);
    this.#left = Math.min(maxPerSecond, this.#left + (since * maxPerSecond) / 1000 || 0);
    this.#refilledAt = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  /** From 0 to below WHOLE: xorshift, since nothing depends on its being unpredictable. */
  #draw(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return ((x >>> 0) / 0x1_0000_0000) * WHOLE;
  }
}

function tableOf(rules: readonly SamplingRule[], named: string | null): Table {
  const size = DOORS.length * KINDS.length;
  const table = { rates: new Float64Array(size), credits: new Float64Array(size).fill(SAVED * WHOLE) };
  for (const door of DOORS)
    for (const kind of KINDS) {
      const rule = rules.find(
        ({ door: ofDoor = door, operation = kind, tenant = named }) =>
          ofDoor === door && operation === kind && tenant === named,
      );
      table.rates[cellOf(door, kind)] = rule?.rate ?? 0;
    }
  return table;
}
