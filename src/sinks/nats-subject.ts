import { PRESENCE } from '../store/presence-update.js';
import type { ShadowKey } from '../store/shadow-store.js';
import type { EventKind } from '../watch/watch-filter.js';

/** Stands for the classic shadow: no named one has this character. */
const CLASSIC = '@classic';
/** Stands where presence has no shadow: it is of the thing. */
const THING = '@thing';
/** What a token may have as it is. Of names only these characters are left today: NATS takes them all. */
const PLAIN = /[^A-Za-z0-9_:$-]/g;

/**
 * A name as one token of a subject: other characters than letters, digits and `_:$-` are their bytes in UTF-8, each as
 * `%` and two digits of hexadecimal. No errors.
 */
export function subjectToken(name: string): string {
  return name.replace(PLAIN, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''),
  );
}

/** `{prefix}.{tenant}.{thing}.{shadow}.{kind}`. No errors. */
export function subjectOf(prefix: string, key: ShadowKey, kind: EventKind): string {
  const shadow = key.name === null ? CLASSIC : key.name === PRESENCE ? THING : subjectToken(key.name);
  return `${prefix}.${subjectToken(key.tenant)}.${subjectToken(key.thing)}.${shadow}.${kind}`;
}

/** All subjects of a tenant. No errors. */
export const subjectsOf = (prefix: string, tenant: string): string => `${prefix}.${subjectToken(tenant)}.>`;

/** Whether a subject of a stream, with wildcards, takes every subject of the tenant. No errors. */
export function takes(pattern: string, prefix: string, tenant: string): boolean {
  const wanted = [prefix, subjectToken(tenant)];
  const tokens = pattern.split('.');
  for (const [i, token] of tokens.entries()) {
    if (token === '>') return true;
    // Behind the tenant stand the thing, the shadow and the kind: five tokens in all.
    if (token !== '*' && token !== wanted[i]) return false;
  }
  return tokens.length === 5;
}
