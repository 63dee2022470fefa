import { DOORS, KINDS } from './request-metrics.js';
import { MAX_PER_SECOND, MAX_RULES, MAX_SLOW_MS, WHOLE, type SamplingRule, type SamplingRules } from './sampling.js';

/** What is wrong with sampling rules; the message names the member and says what it must be. */
export class SamplingFault extends Error {
  override readonly name = 'SamplingFault';
}

const TENANT = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$/;

/**
 * The sampling rules of parsed JSON, such as a document of the runtime configuration. All members are required.
 * @throws SamplingFault
 */
export function readSamplingRules(value: unknown): SamplingRules {
  const { rules, failed, slowMs, maxPerSecond } = members(value, 'sampling', SET);
  if (!Array.isArray(rules) || rules.length > MAX_RULES)
    throw new SamplingFault(`sampling.rules must be a list of at most ${MAX_RULES} rules`);
  if (typeof failed !== 'boolean') throw new SamplingFault('sampling.failed must be true or false');
  return {
    rules: rules.map((each, i) => readRule(each, `sampling.rules[${i}]`)),
    failed,
    slowMs: slowMs === null ? null : whole(slowMs, 'sampling.slowMs', [1, MAX_SLOW_MS], ', or null'),
    maxPerSecond: whole(maxPerSecond, 'sampling.maxPerSecond', [0, MAX_PER_SECOND]),
  };
}

/**
 * A rule as a variable has it: `100` for all requests, or `door/operation/tenant=100`, of which the last may be left out
 * and `*` covers all.
 * @throws SamplingFault
 */
export function parseRule(text: string): SamplingRule {
  const [, door, operation, tenant, rate] =
    /^(?:([^/=]+)(?:\/([^/=]+)(?:\/([^/=]+))?)?=)?(\d{1,5})$/.exec(text.trim()) ?? [];
  if (rate === undefined) throw new SamplingFault(`"${text}" must be a rate, or door/operation/tenant=rate`);
  const given = Object.entries({ door, operation, tenant }).filter(([, part]) => part !== undefined && part !== '*');
  return readRule({ ...Object.fromEntries(given), rate: Number(rate) }, `"${text}"`);
}

const SET = ['rules', 'failed', 'slowMs', 'maxPerSecond'] as const;
const RULE = ['door', 'operation', 'tenant', 'rate'] as const;

function readRule(value: unknown, where: string): SamplingRule {
  const { door, operation, tenant, rate } = members(value, where, RULE);
  if (tenant !== undefined && !(typeof tenant === 'string' && TENANT.test(tenant)))
    throw new SamplingFault(`${where}: tenant must be the name of a tenant`);
  return {
    ...(door === undefined ? {} : { door: oneOf(door, DOORS, `${where}: door`) }),
    ...(operation === undefined ? {} : { operation: oneOf(operation, KINDS, `${where}: operation`) }),
    ...(tenant === undefined ? {} : { tenant }),
    rate: whole(rate, `${where}: rate`, [0, WHOLE]),
  };
}

/** The members of an object that has no others. */
function members<N extends string>(value: unknown, where: string, names: readonly N[]): Partial<Record<N, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SamplingFault(`${where} must be an object with ${names.join(', ')}`);
  const unknown = Object.keys(value).find((name) => !names.includes(name as N));
  if (unknown !== undefined)
    throw new SamplingFault(`${where} has no member ${JSON.stringify(unknown.slice(0, 80))}, only ${names.join(', ')}`);
  return value as Partial<Record<N, unknown>>;
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[], where: string): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) throw new SamplingFault(`${where} must be one of ${allowed.join(', ')}`);
  return found;
}

function whole(value: unknown, where: string, [min, max]: readonly [number, number], or = ''): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
    throw new SamplingFault(`${where} must be a whole number from ${min} to ${max}${or}`);
  return value;
}
