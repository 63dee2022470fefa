import { compactVerify, decodeProtectedHeader, decodeJwt, errors, type CompactJWSHeaderParameters } from 'jose';
import { ServiceError } from '../../errors/service-error.js';
import { readClaims, type TokenClaims } from './token-claims.js';
import { TokenFault } from './token-fault.js';
import type { TrustedIssuer } from './trusted-issuer.js';

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
 * @throws ServiceError of the issuer's keys, when the storage of ours does not answer
 */
export async function readToken(
  token: string,
  issuers: ReadonlyMap<string, TrustedIssuer>,
): Promise<AuthenticToken | TokenFault> {
  const malformedForm = faultOfForm(token);
  if (malformedForm) return malformedForm;
  const header = headerOf(token);
  const issuer = issuers.get(issuerOf(token) ?? '');
  if (header === null) return malformed('its header cannot be read');
  if (!issuer) return new TokenFault('foreign', 'its issuer is not trusted here');
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

function issuerOf(token: string): string | undefined {
  try {
    const { iss } = decodeJwt<{ iss?: unknown }>(token);
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}

const malformed = (reason: string): TokenFault => new TokenFault('malformed', reason);
const unknown = (reason: string): TokenFault => new TokenFault('unknown', reason);
