import { hkdfSync } from 'node:crypto';
import { SecretSeal } from '../sealed-secret.js';
import type { BoundTo } from './client-binding.js';
import { digestOf } from './refresh-token.js';
import type { TokenRules } from './token-rules.js';

/** One line of refresh tokens, from a login to its end. Of the tokens there are only hashes. */
export interface RefreshFamily {
  readonly tenant: string;
  readonly principal: string;
  readonly scopes: readonly string[];
  readonly bound: BoundTo;
  /** Hash of the token that is to be used next. */
  readonly current: string;
  /** The token before it; null: `current` is the first. */
  readonly previous: { readonly hash: string; readonly box: string } | null;
  /** Epoch milliseconds at which `current` was made. */
  readonly at: number;
  /** Epoch milliseconds after which no token of the family is valid. */
  readonly endsAt: number;
}

/** What an authentic token is to its family. */
export type Standing =
  /** The one that is to be used next. */
  | 'current'
  /** The one before, used a moment ago by a request that raced, or whose answer was lost. */
  | 'raced'
  /** Used before: it, or its successor, is in the hands of two. */
  | 'reused'
  | 'ended';

/** No errors. @param now epoch milliseconds */
export function standingOf(family: RefreshFamily, token: string, rules: TokenRules, now: number): Standing {
  const hash = digestOf(token);
  const age = now - family.at;
  const skew = rules.clockSkew * 1_000;
  if (hash === family.current) {
    return now >= family.endsAt || age >= rules.refreshIdle * 1_000 ? 'ended' : 'current';
  }
  // A negative age is the clock of another node that is ahead. Beyond the skew no grace can be told.
  const isRecent = age <= rules.reuseGrace * 1_000 && age >= -skew;
  return hash === family.previous?.hash && isRecent ? 'raced' : 'reused';
}

/**
 * The family after `token` was used. The successor is sealed under the token: whoever has the token can open it, so that
 * requests that race get the same one, and the storage alone gives it to nobody. No errors.
 */
export function withSuccessor(
  family: RefreshFamily,
  token: string,
  successor: string,
  bound: BoundTo,
  now: number,
): RefreshFamily {
  const hash = digestOf(token);
  const box = sealOf(token).seal(successor, hash);
  return { ...family, bound, current: digestOf(successor), previous: { hash, box }, at: now };
}

/**
 * The successor of the token that was used last; null: the family has none.
 * @throws UnsealError when the record was changed, or the token is another one
 */
export function successorOf({ previous }: RefreshFamily, token: string): string | null {
  return previous && sealOf(token).open(previous.box, digestOf(token)).toString();
}

/** A seal whose key is derived from the token: its hash, which is stored beside the box, does not open it. */
function sealOf(token: string): SecretSeal {
  const key = new Uint8Array(hkdfSync('sha256', token, '', 'umbra refresh-box 1', 32));
  return new SecretSeal(key, 'refresh-successor');
}

const FORMAT = 1;

/** No errors. */
export function encodeFamily(family: RefreshFamily): string {
  return JSON.stringify({ format: FORMAT, ...family });
}

/** @throws Error that names the format, or says that the record is damaged */
export function decodeFamily(text: string): RefreshFamily {
  const record = JSON.parse(text) as ({ format?: unknown } & Partial<RefreshFamily>) | null;
  if (record?.format !== FORMAT) {
    throw new Error(`A refresh family has format ${JSON.stringify(record?.format)}; this version reads ${FORMAT} only`);
  }
  const { tenant, principal, scopes, bound, current, previous, at, endsAt } = record;
  const texts = [tenant, principal, current, bound?.client, ...(previous ? [previous.hash, previous.box] : [])];
  const hashes = [bound?.address, bound?.agent];
  const isWhole =
    texts.every((value) => typeof value === 'string') &&
    hashes.every((value) => value === null || typeof value === 'string') &&
    previous !== undefined &&
    [at, endsAt].every((value) => Number.isSafeInteger(value)) &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === 'string');
  if (!isWhole) throw new Error('A refresh family is damaged');
  return { tenant, principal, scopes, bound, current, previous, at, endsAt } as RefreshFamily;
}
