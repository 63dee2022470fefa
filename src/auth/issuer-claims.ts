import { EVERYTHING } from '../access/scopes.js';
import type { AccessEntry } from '../directory/access-records.js';
import type { IssuerRecord, IssuerRole } from '../directory/records/issuer-record.js';
import { PRINCIPAL_ID } from '../directory/records/record-names.js';
import type { RawClaims, TokenClaims } from './tokens/token-claims.js';
import { TokenFault } from './tokens/token-fault.js';
import type { TokenIdentity } from './tokens/trusted-issuer.js';

/** Between an issuer and whom it names: no principal of our own has it in its id. */
const OF_ISSUER = '~';
/** Claims whose text is a list of words (RFC 6749 section 3.3, and as Microsoft names it). */
const WORDS = new Set(['scope', 'scp']);
/** Scopes of ours; those of others, such as openid, say nothing of what may be done here. */
const OUR_SCOPE = /^(?:iot|umbra):/;

/**
 * Whom a token of a registered issuer speaks for: a principal of the tenant of the record, whatever the token says of
 * tenants. No errors.
 */
export function identityOf(
  { record, revision }: Pick<AccessEntry<IssuerRecord>, 'record' | 'revision'>,
  { raw }: TokenClaims,
): TokenIdentity | TokenFault {
  const { tenant, name, principalFrom } = record;
  const named = valueOf(raw, principalFrom);
  const principal = name + OF_ISSUER + (typeof named === 'string' ? named : '');
  if (!PRINCIPAL_ID.pattern.test(principal)) return new TokenFault('foreign', NO_NAME);
  return { tenant, principal, scopes: scopesIn(raw), roles: rolesIn(record, raw), origin: { name, revision } };
}

const NO_NAME = 'the claim that names the principal must have 1 to 128 characters of a-z, A-Z, 0-9 and :_.@+=,|-';

function rolesIn({ rolesFrom, roles, rolesForAll }: IssuerRecord, raw: RawClaims): readonly IssuerRole[] {
  const given = rolesFrom === null ? [] : textsOf(valueOf(raw, rolesFrom), WORDS.has(rolesFrom));
  return [...new Set([...rolesForAll, ...given.flatMap((value) => roles.get(value) ?? [])])];
}

/** They only narrow. What begins like one of ours and is none includes nothing. */
function scopesIn(raw: RawClaims): readonly string[] {
  const ours = ['scope', 'scp'].flatMap((claim) => textsOf(raw[claim], true)).filter((each) => OUR_SCOPE.test(each));
  return ours.length === 0 ? [EVERYTHING] : ours;
}

function textsOf(value: unknown, areWords: boolean): readonly string[] {
  if (typeof value === 'string') return areWords ? value.split(' ') : [value];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

/** A claim by its name, or by a JSON pointer into the claims (RFC 6901); undefined: there is none. */
function valueOf(raw: RawClaims, claim: string): unknown {
  if (!claim.startsWith('/')) return member(raw, claim);
  const names = claim.slice(1).split('/');
  return names.reduce<unknown>((owner, name) => member(owner, unescaped(name)), raw);
}

const member = (owner: unknown, name: string): unknown =>
  typeof owner === 'object' && owner !== null && Object.hasOwn(owner, name)
    ? (owner as Record<string, unknown>)[name]
    : undefined;

const unescaped = (name: string): string => name.replaceAll('~1', '/').replaceAll('~0', '~');
