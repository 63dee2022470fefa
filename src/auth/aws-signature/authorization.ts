import { claimOf, type SignatureClaim } from './claim.js';
import { parseCredential } from './credential.js';
import type { SentHeaders } from './sent-headers.js';
import { malformed, SignatureFault } from './signature-fault.js';

/** The only algorithm: AWS Signature Version 4 with a shared secret. */
export const ALGORITHM = 'AWS4-HMAC-SHA256';

const AUTHORIZATION = /^AWS4-HMAC-SHA256 Credential=([^, ]+), ?SignedHeaders=([^, ]+), ?Signature=([^, ]+)$/;

/** Whether an `Authorization` header is one of Signature Version 4. */
export function isAwsAuthorization(authorization: string): boolean {
  return authorization.startsWith('AWS4-');
}

/** The signature of a REST request, from its headers. */
export function headerClaim(headers: SentHeaders): SignatureClaim | SignatureFault {
  const authorization = headers.get('authorization');
  if (authorization === undefined) return malformed('Authorization is missing');
  if (headers.isRepeated('authorization')) return malformed('Authorization must be sent once');
  const [, credentialText, signedHeaders = '', signature = ''] = AUTHORIZATION.exec(authorization) ?? [];
  if (credentialText === undefined) {
    return malformed(`Authorization must be ${ALGORITHM} Credential=..., SignedHeaders=..., Signature=...`);
  }
  const credential = parseCredential(credentialText);
  if (credential instanceof SignatureFault) return credential;
  const date = headers.get('x-amz-date');
  if (date === undefined) return malformed('X-Amz-Date is missing: sign it as a header');
  const sessionToken = headers.get('x-amz-security-token');
  return claimOf({ credential, date, signedHeaders, signature, sessionToken });
}
