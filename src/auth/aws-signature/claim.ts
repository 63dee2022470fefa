import type { Credential } from './credential.js';
import { malformed, type SignatureFault } from './signature-fault.js';
import { parseSigningDate } from './signing-date.js';

/** What a request says about its own signature. */
export interface SignatureClaim {
  readonly credential: Credential;
  /** `X-Amz-Date` as it was sent. */
  readonly date: string;
  /** The same in epoch milliseconds. */
  readonly signedAt: number;
  /** Lower-case names, joined by `;`. */
  readonly signedHeaders: string;
  /** 64 lower-case hexadecimal digits. */
  readonly signature: string;
  readonly sessionToken: string | undefined;
}

const SIGNATURE = /^[0-9a-f]{64}$/;

/** A claim whose parts fit each other. */
export function claimOf(parts: Omit<SignatureClaim, 'signedAt'>): SignatureClaim | SignatureFault {
  if (!SIGNATURE.test(parts.signature)) return malformed('Signature must be 64 lower-case hexadecimal digits');
  const signedAt = parseSigningDate(parts.date);
  if (typeof signedAt !== 'number') return signedAt;
  if (!parts.date.startsWith(parts.credential.date)) {
    return malformed('The date in Credential must be the day of X-Amz-Date');
  }
  const { credential, date, signedHeaders, signature, sessionToken } = parts;
  return { credential, date, signedAt, signedHeaders, signature, sessionToken };
}
