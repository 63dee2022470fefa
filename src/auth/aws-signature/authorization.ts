import { claimOf, SIGNATURE_LENGTH, type SignatureClaim } from './claim.js';
import { parseCredential, type Credential } from './credential.js';
import { remembering } from './remembering.js';
import type { SentHeaders } from './sent-headers.js';
import { malformed, SignatureFault } from './signature-fault.js';

/** The only algorithm: AWS Signature Version 4 with a shared secret. */
export const ALGORITHM = 'AWS4-HMAC-SHA256';

const AUTHORIZATION = /^AWS4-HMAC-SHA256 Credential=([^, ]+), ?SignedHeaders=([^, ]+), ?Signature=([^, ]+)$/;

/** Whether an `Authorization` header is one of Signature Version 4. */
export function isAwsAuthorization(authorization: string): boolean {
  return authorization.startsWith('AWS4-');
}

/** All of the header but the signature itself: the same for all requests of a client on one day. */
interface Beginning {
  readonly credential: Credential;
  readonly signedHeaders: string;
}

const BEGINNING = /^AWS4-HMAC-SHA256 Credential=([^, ]+), ?SignedHeaders=([^, ]+), ?Signature=$/;
const parseBeginning = remembering<Beginning>((text) => {
  const [, credentialText = '', signedHeaders = ''] = BEGINNING.exec(text) ?? [];
  const credential = parseCredential(credentialText);
  return credential instanceof SignatureFault ? credential : { credential, signedHeaders };
}, 5000);

/** The signature of a REST request, from its headers. */
export function headerClaim(headers: SentHeaders): SignatureClaim | SignatureFault {
  const authorization = headers.get('authorization');
  if (authorization === undefined) return malformed('Authorization is missing');
  if (headers.isRepeated('authorization')) return malformed('Authorization must be sent once');
  const date = headers.get('x-amz-date');
  const sessionToken = headers.get('x-amz-security-token');
  const signature = authorization.slice(-SIGNATURE_LENGTH);
  const beginning = parseBeginning(authorization.slice(0, -SIGNATURE_LENGTH));
  if (beginning instanceof SignatureFault || date === undefined) return anyClaim(authorization, date, sessionToken);
  const { credential, signedHeaders } = beginning;
  return claimOf({ credential, date, signedHeaders, signature, sessionToken });
}

/** The same in small steps, for what is wrong with it. */
function anyClaim(
  authorization: string,
  date: string | undefined,
  sessionToken: string | undefined,
): SignatureClaim | SignatureFault {
  const [, credentialText, signedHeaders = '', signature = ''] = AUTHORIZATION.exec(authorization) ?? [];
  if (credentialText === undefined) {
    return malformed(`Authorization must be ${ALGORITHM} Credential=..., SignedHeaders=..., Signature=...`);
  }
  const credential = parseCredential(credentialText);
  if (credential instanceof SignatureFault) return credential;
  if (date === undefined) return malformed('X-Amz-Date is missing: sign it as a header');
  return claimOf({ credential, date, signedHeaders, signature, sessionToken });
}
