/** The values of a label: a closed set, or the number of values that may be bound; further ones are counted as `other`. */
export type LabelValues = readonly string[] | number;

/** One family of metrics, as the page of metrics and its documentation name it. */
export interface Definition {
  /** Without the suffix of its type, such as `_total`. */
  readonly name: string;
  /** One sentence for an operator. */
  readonly help: string;
  readonly labels?: Readonly<Record<string, LabelValues>>;
}

/** Buckets that double: `first`, twice `first`, and so on, and one for everything above. */
export interface Buckets {
  readonly first: number;
  readonly count: number;
  /** Recorded units in one that is shown. */
  readonly per: number;
}

/** Recorded in milliseconds, shown in seconds: 0.5 ms to 8.192 s. */
export const TIMES: Buckets = { first: 0.5, count: 15, per: 1000 };
/** How many of something: 1 to 128. */
export const SIZES: Buckets = { first: 1, count: 8, per: 1 };

/** A trace that tells how a value of a bucket came about. */
export interface Exemplar {
  readonly traceId: string;
  /** In the unit that is shown. */
  readonly value: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'info';

/** One line of a page of metrics. */
export interface Sample {
  /** What follows the name of the family, such as `_bucket`. */
  readonly suffix: string;
  /** Names and values in turn. */
  readonly labels: readonly string[];
  readonly value: number;
  /** Of a bucket: the last value with a trace. */
  readonly exemplar?: Exemplar | undefined;
}

/** What a page of metrics shows of one name. */
export interface Family extends Definition {
  readonly type: FamilyType;
  /** Series that it never has more of. */
  readonly most: number;
  /** Null: nothing has bound or read it, and it is left out. */
  samples(): Sample[] | null;
}

const OTHER = 'other';

/** Finds the cell of values of labels. Cells are bound at the start; recording takes the number of a cell alone. */
class Cells {
  readonly names: readonly string[];
  readonly size: number;
  readonly #values: string[][];
  readonly #widths: readonly number[];
  /** Which of the labels have an open set. */
  readonly #open: readonly boolean[];
  readonly bound: { readonly cell: number; readonly labels: readonly string[] }[] = [];

  constructor(labels: Readonly<Record<string, LabelValues>> = {}) {
    this.names = Object.keys(labels);
    const sets = Object.values(labels);
    this.#open = sets.map((values) => typeof values === 'number');
    this.#values = sets.map((values) => (typeof values === 'number' ? [] : [...values]));
    this.#widths = sets.map((values) => (typeof values === 'number' ? values + 1 : values.length));
    this.size = this.#widths.reduce((all, each) => all * each, 1);
  }

  bind(values: readonly string[]): number {
    if (values.length !== this.names.length)
      throw new Error(`labels ${this.names.join()} have ${values.length} values`);
    const places = values.map((value, label) => this.#placeOf(value, label));
    const cell = places.reduce((at, place, label) => at * this.#widths[label]! + place, 0);
    if (!this.bound.some((each) => each.cell === cell)) {
      const labels = this.names.flatMap((name, label) => [name, this.#values[label]![places[label]!] ?? OTHER]);
      this.bound.push({ cell, labels });
    }
    return cell;
  }

  #placeOf(value: string, label: number): number {
    const values = this.#values[label]!;
    const place = values.indexOf(value);
    if (place >= 0) return place;
    const others = this.#widths[label]! - 1;
    if (!this.#open[label]) throw new Error(`label ${this.names[label]} has no value "${value}"`);
    return values.length < others ? values.push(value) - 1 : others;
  }
}

/** Counts. Without labels its only cell is 0, and is bound. */
export class Counter implements Family {
  readonly type = 'counter';
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  readonly #cells: Cells;
  readonly #counts: Float64Array;

  constructor({ name, help, labels = {} }: Definition) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.#cells = new Cells(labels);
    this.#counts = new Float64Array(this.#cells.size);
    if (this.#cells.names.length === 0) this.#cells.bind([]);
  }

  /** The cell of these values, in the order of the labels. @throws Error for a value outside of a closed set */
  bind(...values: string[]): number {
    return this.#cells.bind(values);
  }

  /** @param by not negative */
  add(cell: number, by = 1): void {
    this.#counts[cell]! += by;
  }

  value(cell: number): number {
    return this.#counts[cell] ?? NaN;
  }

  get most(): number {
    return this.#cells.size;
  }

  samples(): Sample[] | null {
    const { bound } = this.#cells;
    if (bound.length === 0) return null;
    return bound.map(({ cell, labels }) => ({ suffix: '_total', labels, value: this.#counts[cell]! }));
  }
}

/** Counts values by size. Without labels its only cell is 0, and is bound. */
export class Histogram implements Family {
  readonly type = 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  readonly #cells: Cells;
  readonly #buckets: Buckets;
  /** For each cell its buckets, the one for everything above, and the sum. */
  readonly #counts: Float64Array;
  readonly #stride: number;
  readonly #last: number;
  readonly #perUnit: number;
  /** By the place of their bucket; null: no value had a trace. */
  #exemplars: Map<number, Exemplar> | null = null;

  constructor({ name, help, labels = {} }: Definition, buckets: Buckets = TIMES) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.#cells = new Cells(labels);
    this.#buckets = buckets;
    this.#last = buckets.count;
    this.#stride = buckets.count + 2;
    this.#perUnit = 1 / buckets.first;
    this.#counts = new Float64Array(this.#cells.size * this.#stride);
    if (this.#cells.names.length === 0) this.#cells.bind([]);
  }

  /** As Counter.bind. */
  bind(...values: string[]): number {
    return this.#cells.bind(values);
  }

  /** @param value in the unit of the buckets; one that is no number, or below 0, counts as 0 */
  observe(cell: number, value: number): void {
    const counts = this.#counts;
    const base = cell * this.#stride;
    if (!(value >= 0)) return void counts[base]!++;
    counts[base + this.#bucketOf(value)]!++;
    counts[base + this.#last + 1]! += value;
  }

  /** Remembers the trace of a value that was observed. @param at epoch milliseconds */
  remember(cell: number, value: number, traceId: string, at: number): void {
    const shown = { traceId, value: value / this.#buckets.per, at };
    if (value >= 0) (this.#exemplars ??= new Map()).set(cell * this.#stride + this.#bucketOf(value), shown);
  }

  /** @param value not negative */
  #bucketOf(value: number): number {
    const units = value * this.#perUnit;
    // 2 ** bucket is the least power of two that is not below the value. More than 31 bits are above every bucket.
    const bucket = units <= 1 ? 0 : units < 0x7fffffff ? 32 - Math.clz32(Math.ceil(units) - 1) : this.#last;
    return bucket < this.#last ? bucket : this.#last;
  }

  count(cell: number): number {
    const base = cell * this.#stride;
    return this.#counts.subarray(base, base + this.#last + 1).reduce((sum, each) => sum + each, 0);
  }

  /** Its buckets, the one for everything above, count and sum of each cell. */
  get most(): number {
    return this.#cells.size * (this.#last + 3);
  }

  samples(): Sample[] | null {
    const { bound } = this.#cells;
    return bound.length === 0 ? null : bound.flatMap(({ cell, labels }) => this.#samplesOf(cell, labels));
  }

  #samplesOf(cell: number, labels: readonly string[]): Sample[] {
    const { first, per } = this.#buckets;
    const base = cell * this.#stride;
    const lines: Sample[] = [];
    let count = 0;
    for (let bucket = 0; bucket <= this.#last; bucket++) {
      count += this.#counts[base + bucket]!;
      const bound = bucket === this.#last ? '+Inf' : boundText((first * 2 ** bucket) / per);
      const exemplar = this.#exemplars?.get(base + bucket);
      lines.push({ suffix: '_bucket', labels: [...labels, 'le', bound], value: count, ...(exemplar && { exemplar }) });
    }
    lines.push({ suffix: '_count', labels, value: count });
    lines.push({ suffix: '_sum', labels, value: this.#counts[base + this.#last + 1]! / per });
    return lines;
  }
}

/** A float as OpenMetrics writes it: 1 is 1.0. */
const boundText = (bound: number): string => (Number.isInteger(bound) ? bound.toFixed(1) : String(bound));

/** A value with the values of its labels, in their order. */
export type Reading = readonly [labels: readonly string[], value: number];

/** A value that its owner knows, asked for when the page is read. */
export class Gauge implements Family {
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** A reader that gives more has the others left out. */
  readonly most: number;
  /** Set by whoever knows the value; null: nobody does, and it is left out. It must not wait. */
  read: (() => number | readonly Reading[]) | null = null;

  /** @param type `counter` of a value that only grows, which others count; `info` of one that is always 1 */
  constructor(
    { name, help, labels = {} }: Definition,
    readonly type: 'gauge' | 'counter' | 'info' = 'gauge',
  ) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    const numbers = Object.values(labels).map((values) => (typeof values === 'number' ? values : values.length));
    this.most = numbers.reduce((all, each) => all * each, 1);
  }

  samples(): Sample[] | null {
    if (this.read === null) return null;
    const read = this.read();
    const readings: readonly Reading[] = typeof read === 'number' ? [[[], read]] : read.slice(0, this.most);
    const names = Object.keys(this.labels);
    const suffix = this.type === 'counter' ? '_total' : this.type === 'info' ? '_info' : '';
    return readings.map(([values, value]) => ({
      suffix,
      labels: names.flatMap((name, i) => [name, values[i] ?? '']),
      value,
    }));
  }
}
