import { compactVerify, decodeProtectedHeader, decodeJwt, errors, type CompactJWSHeaderParameters } from 'jose';
import { ServiceError } from '../../errors/service-error.js';
import { readClaims, type TokenClaims } from './token-claims.js';
import { TokenFault } from './token-fault.js';
import type { TrustedIssuer, TrustedIssuers } from './trusted-issuer.js';

/** A longer one is refused before anything is done with it. */
export const MAX_TOKEN_BYTES = 8 * 1024;

/** Three parts of base64url; the last is not empty, so that nothing unsigned goes on. */
const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** A token whose signature holds. Neither its times nor whether it was denied were judged. */
export interface AuthenticToken {
  readonly issuer: TrustedIssuer;
  readonly kid: string | undefined;
  readonly claims: TokenClaims;
}

/** What costs no signature: length and form; null: go on. No errors. */
export function faultOfForm(token: string): TokenFault | null {
  // Every allowed character is one byte, so the form makes this a limit of bytes.
  if (token.length > MAX_TOKEN_BYTES) return malformed(`it is longer than ${MAX_TOKEN_BYTES} bytes`);
  return FORM.test(token) ? null : malformed('it is not a signed JWT in compact form');
}

/**
 * Verifies the signature by the issuer that the token names, with the algorithms that this issuer is trusted with; what
 * the header says of keys beyond `kid` (`jwk`, `jku`, `x5c`) is never followed.
 * @throws ServiceError storageUnavailable, issuerUnavailable: the keys of the issuer cannot be had
 */
export async function readToken(token: string, issuers: TrustedIssuers): Promise<AuthenticToken | TokenFault> {
  const malformedForm = faultOfForm(token);
  if (malformedForm) return malformedForm;
  const header = headerOf(token);
  if (header === null) return malformed('its header cannot be read');
  const issuer = issuerOf(token, issuers);
  if (issuer instanceof TokenFault) return issuer;
  const type = String(header.typ)
    .toLowerCase()
    .replace(/^application\//, '');
  if (!issuer.types.includes(type)) return malformed(`its header typ must be ${issuer.types.join(' or ')}`);
  const payload = await verifiedPayload(token, issuer);
  if (payload instanceof TokenFault) return payload;
  const claims = readClaims(payload);
  if (claims instanceof TokenFault) return claims;
  return { issuer, kid: typeof header.kid === 'string' ? header.kid : undefined, claims };
}

/** Whether the token was issued by this issuer for us; null: it was. No errors. */
export function faultOfAudience({ issuer, claims }: AuthenticToken): TokenFault | null {
  // What was decoded before the signature was verified must be what it covers.
  if (claims.issuer !== issuer.issuer) return new TokenFault('foreign', 'its issuer is not trusted here');
  const isOurs = claims.audiences.some((name) => issuer.audiences.includes(name));
  return isOurs ? null : new TokenFault('foreign', 'it was issued for another audience');
}

class NoSuchKey extends Error {}

async function verifiedPayload(token: string, issuer: TrustedIssuer): Promise<Uint8Array | TokenFault> {
  const keyOf = async (header: CompactJWSHeaderParameters) => {
    const key = await issuer.key(header);
    if (key === null) throw new NoSuchKey();
    return key;
  };
  try {
    const { payload } = await compactVerify(token, keyOf, { algorithms: [...issuer.algorithms] });
    return payload;
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    if (error instanceof errors.JWSInvalid) return malformed('it is not a signed JWT');
    if (error instanceof errors.JOSEAlgNotAllowed) return unknown('its issuer does not sign with this algorithm');
    return unknown('its signature is wrong, or its key is not known');
  }
}

function headerOf(token: string): { readonly typ?: unknown; readonly kid?: unknown } | null {
  try {
    return decodeProtectedHeader(token);
  } catch {
    return null;
  }
}

/** By claims that nobody has verified yet: they choose only whose keys have to verify them. */
function issuerOf(token: string, issuers: TrustedIssuers): TrustedIssuer | TokenFault {
  const { iss, aud } = unverified(token);
  const named = (typeof iss === 'string' && issuers.get(iss)) || [];
  const given: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const meant = named.filter(({ audiences }) => given.some((each) => audiences.includes(each as string)));
  if (meant.length > 1) return new TokenFault('foreign', 'its audiences are those of several registrations');
  return meant[0] ?? named[0] ?? new TokenFault('foreign', 'its issuer is not trusted here');
}

function unverified(token: string): { readonly iss?: unknown; readonly aud?: unknown } {
  try {
    return decodeJwt<{ iss?: unknown; aud?: unknown }>(token);
  } catch {
    return {};
  }
}

const malformed = (reason: string): TokenFault => new TokenFault('malformed', reason);
const unknown = (reason: string): TokenFault => new TokenFault('unknown', reason);
