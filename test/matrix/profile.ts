/** What a profile weighs: the rows of a score. */
export const ROWS = ['consistency', 'latency', 'availability', 'operations', 'cost'] as const;

export type Row = (typeof ROWS)[number];
export type Weights = Readonly<Record<Row, number>>;

/** What one kind of devices asks of its storage. */
export interface Profile {
  readonly name: string;
  readonly title: string;
  /** Normalised: they add up to 1. */
  readonly weights: Weights;
  /** Milliseconds of P99 that score 0. */
  readonly limitMs: number;
  /** Share of the time of a fault in which writes are acknowledged that scores 0. */
  readonly alpha: number;
  /** A column that has lost an acknowledged write scores 0 for consistency. */
  readonly forbidsLoss: boolean;
}

/** A profile that cannot be used; the message says what to change. */
export class ProfileFault extends Error {
  override readonly name = 'ProfileFault';
}

/**
 * @param name is told in errors
 * @throws ProfileFault
 */
export function readProfile(name: string, given: unknown): Profile {
  const fail = (text: string): never => {
    throw new ProfileFault(`profile ${name}: ${text}`);
  };
  if (!isObject(given)) return fail('must be a JSON object');
  const { title, weights, limitMs, alpha, forbidsLoss, ...rest } = given;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) fail(`${unknown} is no member; leave it out`);
  if (typeof title !== 'string' || title === '') fail('title must be a text');
  if (!isNumber(limitMs) || limitMs <= 0) fail('limitMs must be a number of milliseconds above 0');
  if (!isNumber(alpha) || alpha < 0 || alpha >= 1) fail('alpha must be a number from 0 to below 1');
  if (typeof forbidsLoss !== 'boolean') fail('forbidsLoss must be true or false');
  if (!isObject(weights)) return fail('weights must be an object');
  return { name, title, limitMs, alpha, forbidsLoss, weights: readWeights(weights, fail) } as Profile;
}

function readWeights(given: Readonly<Record<string, unknown>>, fail: (text: string) => never): Weights {
  for (const [row, weight] of Object.entries(given)) {
    if (!ROWS.includes(row as Row)) fail(`weights.${row} is no row; the rows are ${ROWS.join(', ')}`);
    if (!isNumber(weight)) fail(`weights.${row} must be a number`);
    if ((weight as number) < 0) fail(`weights.${row} is negative; 0 leaves a row out`);
  }
  const weightOf = (row: Row): number => (given[row] as number | undefined) ?? 0;
  if (ROWS.every((row) => weightOf(row) === 0)) fail('all weights are 0; at least one must be more');
  return normalised(weightOf);
}

/** Weights that add up to 1, of ones of which at least one is more than 0. No errors. */
export function normalised(weightOf: (row: Row) => number): Weights {
  const sum = ROWS.reduce((total, row) => total + weightOf(row), 0);
  return Object.fromEntries(ROWS.map((row) => [row, weightOf(row) / sum])) as Record<Row, number>;
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
