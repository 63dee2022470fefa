import { ALGORITHM } from './authorization.js';
import type { QueryParameter } from './canonical-query.js';
import { claimOf, type SignatureClaim } from './claim.js';
import { parseCredential } from './credential.js';
import { malformed, SignatureFault } from './signature-fault.js';

/** Names of the parameters; AWS knows them in this case only. */
export const SIGNATURE = 'X-Amz-Signature';
export const SESSION_TOKEN = 'X-Amz-Security-Token';
const NAMES = {
  algorithm: 'X-Amz-Algorithm',
  credential: 'X-Amz-Credential',
  date: 'X-Amz-Date',
  signedHeaders: 'X-Amz-SignedHeaders',
  signature: SIGNATURE,
} as const;
const EXPIRES = 'X-Amz-Expires';
/** AWS's longest life of a presigned URL is a week, in seconds. */
const MAX_EXPIRES = 604_800;

/** The signature of a URL. */
export interface PresignedClaim extends SignatureClaim {
  /** Milliseconds for which the URL itself says to be good; Infinity: it says nothing. */
  readonly lifeMs: number;
}

/** Whether a query has a signature in it; headers say nothing then. */
export function isPresigned(rawQuery: string): boolean {
  return /(?:^|&)X-Amz-(?:Algorithm|Signature)=/i.test(rawQuery);
}

/** The signature of an upgrade to WebSocket, from its query. */
export function queryClaim(parameters: readonly QueryParameter[]): PresignedClaim | SignatureFault {
  const found = amzValues(parameters);
  if (found instanceof SignatureFault) return found;
  for (const name of Object.values(NAMES)) {
    if (!found.has(name)) return malformed(`The parameter ${name} is missing`);
  }
  const valueOf = (name: string): string => found.get(name) ?? '';
  if (valueOf(NAMES.algorithm) !== ALGORITHM) return malformed(`${NAMES.algorithm} must be ${ALGORITHM}`);
  const credential = parseCredential(valueOf(NAMES.credential));
  if (credential instanceof SignatureFault) return credential;
  const lifeMs = lifeOf(found.get(EXPIRES));
  if (lifeMs instanceof SignatureFault) return lifeMs;
  const claim = claimOf({
    credential,
    date: valueOf(NAMES.date),
    signedHeaders: valueOf(NAMES.signedHeaders),
    signature: valueOf(NAMES.signature),
    sessionToken: found.get(SESSION_TOKEN),
  });
  return claim instanceof SignatureFault ? claim : { ...claim, lifeMs };
}

/** Decoded values of the parameters of AWS, by name. */
function amzValues(parameters: readonly QueryParameter[]): Map<string, string> | SignatureFault {
  const found = new Map<string, string>();
  for (const { name, value } of parameters) {
    if (!/^x-amz-/i.test(name)) continue;
    if (found.has(name)) return malformed(`The parameter ${name.slice(0, 40)} must be given once`);
    try {
      found.set(name, decodeURIComponent(value));
    } catch {
      return malformed(`The parameter ${name.slice(0, 40)} is not UTF-8`);
    }
  }
  return found;
}

function lifeOf(expires: string | undefined): number | SignatureFault {
  if (expires === undefined) return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,5}$/.test(expires) && Number(expires) <= MAX_EXPIRES) return Number(expires) * 1000;
  return malformed(`${EXPIRES} must be 1 to ${MAX_EXPIRES} seconds`);
}
