import { RULE_LIMITS, type Binding, type TokenRules } from './token-rules.js';

/** Keys of the file and the rules that they set. */
const NAMES = {
  ttl: 'ttl',
  grace_period: 'gracePeriod',
  force_rotate: 'forceRotate',
  refresh_ttl: 'refreshTtl',
  refresh_idle: 'refreshIdle',
  reuse_grace: 'reuseGrace',
  clock_skew: 'clockSkew',
  binding: 'binding',
} as const satisfies Record<string, keyof TokenRules>;

export const RULE_KEYS: readonly string[] = Object.keys(NAMES);

const BINDINGS: readonly Binding[] = ['client', 'client+address', 'client+address+agent'];
const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const TIME = /^(\d{1,9})([smhd])$/;

/** A rule as the file has it. `problem` says what to write instead. */
export type ReadRule =
  { readonly name: keyof TokenRules; readonly value: number | boolean | string } | { readonly problem: string };

/**
 * One line of the file; null: the key is not known. No errors.
 * @param value of a plain YAML scalar
 */
export function readRule(key: string, value: unknown): ReadRule | null {
  if (!Object.hasOwn(NAMES, key)) return null;
  const name = NAMES[key as keyof typeof NAMES];
  if (name === 'forceRotate') {
    return typeof value === 'boolean' ? { name, value } : { problem: `${key} must be true or false` };
  }
  if (name === 'binding') {
    const isBinding = BINDINGS.some((binding) => binding === value);
    return isBinding ? { name, value: value as string } : { problem: `${key} must be ${BINDINGS.join(' or ')}` };
  }
  const [least, most] = RULE_LIMITS[name];
  const seconds = secondsOf(value);
  if (seconds === null)
    return { problem: `${key} must be a whole number with a unit: s, m, h or d, such as ${least}s` };
  if (seconds < least || seconds > most) return { problem: `${key} must be from ${least}s to ${most}s` };
  return { name, value: seconds };
}

function secondsOf(value: unknown): number | null {
  const [, number, unit] = (typeof value === 'string' && TIME.exec(value)) || [];
  return number === undefined ? null : Number(number) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
}
