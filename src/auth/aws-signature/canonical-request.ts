import { hash } from 'node:crypto';
import { ALGORITHM } from './authorization.js';
import { canonicalPath } from './canonical-path.js';
import type { SignatureClaim } from './claim.js';
import type { SentHeaders } from './sent-headers.js';
import { malformed, SignatureFault } from './signature-fault.js';

/** A request as it was sent, before anything is decoded. */
export interface SignedRequest {
  readonly method: string;
  /** Without the query. */
  readonly rawPath: string;
  /** Without the question mark; empty: there is none. */
  readonly rawQuery: string;
  /** Names and values in turn, as `rawHeaders` of Node has them. */
  readonly headers: readonly string[];
  /** All bytes of the body; null: there is none. */
  readonly body: Uint8Array | null;
}

const METHOD = /^[A-Z]{1,20}$/;
const NO_BODY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Makes the text that is signed for a request, given its query in canonical form. */
export type StringToSign = (canonicalQuery: string) => string;

/** All of a request that is signed, but for its query. */
export function stringToSign(
  request: SignedRequest,
  headers: SentHeaders,
  { credential, date, signedHeaders }: SignatureClaim,
): StringToSign | SignatureFault {
  const { method, rawPath, body } = request;
  if (!METHOD.test(method)) return malformed('The method must be in upper-case letters');
  const path = canonicalPath(rawPath);
  if (path instanceof SignatureFault) return path;
  const lines = headers.signedLines(signedHeaders);
  if (lines instanceof SignatureFault) return lines;
  const bodyHash = body === null || body.length === 0 ? NO_BODY : hash('sha256', body);
  const statedHash = headers.get('x-amz-content-sha256');
  if (statedHash !== undefined && statedHash !== bodyHash) {
    return malformed('X-Amz-Content-Sha256 must be the SHA-256 of the body, in lower-case hexadecimal digits');
  }
  return (query) => {
    const canonical = `${method}\n${path}\n${query}\n${lines}\n${signedHeaders}\n${bodyHash}`;
    return `${ALGORITHM}\n${date}\n${credential.scope}\n${hash('sha256', canonical)}`;
  };
}
