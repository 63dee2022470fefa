import { BlockList, isIP } from 'node:net';
import { PolicyFault, quoted } from './policy-fault.js';

/** Whether two numbers stand so to each other: of the request, of the document. */
export type Comparison = (asked: number, given: number) => boolean;

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  Equals: (asked, given) => asked === given,
  LessThan: (asked, given) => asked < given,
  LessThanEquals: (asked, given) => asked <= given,
  GreaterThan: (asked, given) => asked > given,
  GreaterThanEquals: (asked, given) => asked >= given,
};

/** How an operator compares. `glob` has wildcards, `text` has not. */
export type Kind = 'text' | 'caseless' | 'glob' | 'bool' | 'address' | 'resource' | 'number' | 'date' | 'null';

/** An operator without its prefix and its `IfExists`. */
export interface Operator {
  readonly kind: Kind;
  /** True for those with a Not: they hold when no value of the document does, and when the key is absent. */
  readonly isNegated: boolean;
  /** For numbers and dates. */
  readonly compare: Comparison;
}

const operator = (kind: Kind, isNegated = false, compare = COMPARISONS['Equals']!): Operator => ({
  kind,
  isNegated,
  compare,
});

/** Operators of IAM by name, all but BinaryEquals. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ['StringEquals', operator('text')],
  ['StringNotEquals', operator('text', true)],
  ['StringEqualsIgnoreCase', operator('caseless')],
  ['StringNotEqualsIgnoreCase', operator('caseless', true)],
  ['StringLike', operator('glob')],
  ['StringNotLike', operator('glob', true)],
  ['Bool', operator('bool')],
  ['IpAddress', operator('address')],
  ['NotIpAddress', operator('address', true)],
  ['ArnEquals', operator('resource')],
  ['ArnLike', operator('resource')],
  ['ArnNotEquals', operator('resource', true)],
  ['ArnNotLike', operator('resource', true)],
  ['Null', operator('null')],
  ...(['Numeric', 'Date'] as const).flatMap((family) => {
    const kind = family === 'Date' ? 'date' : 'number';
    const all = Object.entries(COMPARISONS).map(([name, compare]) => [family + name, operator(kind, false, compare)]);
    return [...all, [`${family}NotEquals`, operator(kind, true)]] as [string, Operator][];
  }),
]);

/** Mapped into IPv6, as a socket for both shows an IPv4 peer. */
const MAPPED = /^::ffff:(?=\d+\.)/i;
const MAPPED_RANGE = new BlockList();
MAPPED_RANGE.addSubnet('::ffff:0:0', 96, 'ipv6');

/**
 * Whether an address is in a range such as `10.0.0.0/8` or `2001:db8::1`.
 * @throws PolicyFault when the text is no range
 */
export function parseRange(place: string, text: string): (address: string) => boolean {
  const [network = '', bits, ...rest] = text.split('/');
  const family = isIP(network);
  const longest = family === 6 ? 128 : 32;
  const length = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
  if (family === 0 || network.includes('%') || rest.length > 0 || !(length <= longest)) {
    throw new PolicyFault(place, `${quoted(text)} is no range of addresses; write one as in "10.0.0.0/8"`);
  }
  if (family === 6 && MAPPED_RANGE.check(network, 'ipv6')) {
    throw new PolicyFault(place, `${quoted(text)} is a range of IPv4; write it as in "10.0.0.0/8"`);
  }
  const list = new BlockList();
  list.addSubnet(network, length, family === 6 ? 'ipv6' : 'ipv4');
  return (address) => {
    const plain = address.replace(MAPPED, '').replace(/%.*$/, '');
    // A list of addresses takes those of IPv4 for a part of IPv6: `::/0` would have all of them.
    return isIP(plain) === family && list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
  };
}

const DATE = /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?)?)?$/;

/**
 * Milliseconds since 1970 of a date of ISO 8601, or of seconds since 1970.
 * @throws PolicyFault when it is neither
 */
export function parseDate(place: string, text: string): number {
  const isSeconds = /^\d{5,12}$/.test(text);
  const at = isSeconds ? Number(text) * 1000 : DATE.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at))
    throw new PolicyFault(place, `${quoted(text)} is no date; write one as in "2026-11-28T07:00:00Z"`);
  return at;
}

const NUMBER = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** The number that a text is, NaN for any other text. No errors. */
export function numberOf(text: string): number {
  return NUMBER.test(text) ? Number(text) : NaN;
}
