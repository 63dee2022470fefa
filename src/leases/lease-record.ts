import { isThingName } from '../document/shadow-name.js';
import { ServiceError } from '../errors/service-error.js';
import { isPrefix, stem } from '../store/claimed-things.js';

/** Names and prefixes of one lease. */
export const MAX_NAMES = 100;
/** Seconds. */
export const TTL = { least: 10, most: 300, usual: 30 } as const;

/** A lease as it is stored. It never changes: whoever wants another one takes another one. */
export interface LeaseRecord {
  /** Id of the principal who holds it. */
  readonly principal: string;
  /** Names of things, and prefixes that end with an asterisk; 1 to MAX_NAMES, each once. */
  readonly things: readonly string[];
  /** How long it lives after it was taken or renewed. */
  readonly ttlSeconds: number;
  /** Whether it keeps everybody else's writes from `desired` of its things. */
  readonly exclusive: boolean;
  /** Milliseconds since 1970. */
  readonly createdAtMs: number;
}

/** What a caller asks for. */
export type LeaseRequest = Pick<LeaseRecord, 'things' | 'ttlSeconds' | 'exclusive'>;

/** @throws ServiceError invalidRequest */
export function parseLeaseRequest(body: Readonly<Record<string, unknown>>): LeaseRequest {
  const { things, ttlSeconds = TTL.usual, exclusive = false, ...others } = body;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw bad(
      `There is no member ${JSON.stringify(unknown.slice(0, 64))}; a lease has things, ttlSeconds and exclusive`,
    );
  if (!Number.isInteger(ttlSeconds) || (ttlSeconds as number) < TTL.least || (ttlSeconds as number) > TTL.most)
    throw bad(`ttlSeconds must be a whole number from ${TTL.least} to ${TTL.most}`);
  if (typeof exclusive !== 'boolean') throw bad('exclusive must be true or false');
  if (!Array.isArray(things) || things.length === 0 || things.length > MAX_NAMES)
    throw bad(`things must be a list of 1 to ${MAX_NAMES} names, or prefixes such as "lamp-*"`);
  for (const [i, each] of things.entries())
    if (!isEntry(each)) throw bad(`things[${i}] must be the name of a thing, or a prefix such as "lamp-*", or "*"`);
  return { things: [...new Set(things as string[])], ttlSeconds: ttlSeconds as number, exclusive };
}

/** A name or prefix of `theirs` that shares a possible thing with one of `ours`; null: none does. No errors. */
export function sharedWith(ours: readonly string[], theirs: readonly string[]): string | null {
  return theirs.find((their) => ours.some((our) => meet(our, their))) ?? null;
}

/** The text that is stored; the store reads `exclusive` in it (store/exclusive-claims.ts). No errors. */
export function leaseText({ principal, things, ttlSeconds, exclusive, createdAtMs }: LeaseRecord): string {
  return JSON.stringify({ principal, things, ttlSeconds, ...(exclusive && { exclusive }), createdAtMs });
}

/** Reads what leaseText has written. @throws SyntaxError for what it has not */
export function leaseOf(text: string): LeaseRecord {
  return { exclusive: false, ...(JSON.parse(text) as Omit<LeaseRecord, 'exclusive'> & Partial<LeaseRecord>) };
}

const bad = (detail: string): ServiceError => new ServiceError('invalidRequest', detail);
function isEntry(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (!isPrefix(value)) return isThingName(value);
  return value === '*' || isThingName(stem(value));
}

function meet(a: string, b: string): boolean {
  if (!isPrefix(a)) return isPrefix(b) ? a.startsWith(stem(b)) : a === b;
  if (!isPrefix(b)) return b.startsWith(stem(a));
  return stem(a).startsWith(stem(b)) || stem(b).startsWith(stem(a));
}
