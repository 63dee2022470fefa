import { TokenFault } from './token-fault.js';

/** Claims as a signed payload holds them, before any of them is checked. */
export type RawClaims = Readonly<Record<string, unknown>>;

/** The claims that every token must have (RFC 9068, 2.2, as far as other issuers send them), and those we read. */
export interface TokenClaims {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly subject: string;
  /** Epoch milliseconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly notBefore: number | null;
  readonly id: string | null;
  readonly client: string | null;
  readonly raw: RawClaims;
}

const MAX_TEXT = 256;
const MAX_AUDIENCES = 100;
/** Seconds; about the year 5138. Beyond it sums of times would not be exact. */
const MAX_DATE = 100_000_000_000;

/** The claims of a payload whose signature holds. A required one that is missing or of a wrong kind is a fault. */
export function readClaims(payload: Uint8Array): TokenClaims | TokenFault {
  const raw = parse(payload);
  if (raw === null) return malformed('its payload is not a JSON object');
  const issuer = text(raw['iss'], MAX_TEXT * 4);
  const subject = text(raw['sub']);
  const issuedAt = date(raw['iat']);
  const expiresAt = date(raw['exp']);
  const audiences = audiencesOf(raw['aud']);
  if (issuer === null) return malformed('it needs the claim iss');
  if (subject === null) return malformed(`it needs the claim sub with 1 to ${MAX_TEXT} printable characters`);
  if (issuedAt === null) return malformed('it needs the claim iat as seconds');
  if (expiresAt === null) return malformed('it needs the claim exp as seconds');
  if (audiences === null) return malformed(`it needs the claim aud with 1 to ${MAX_AUDIENCES} names`);
  const notBefore = raw['nbf'] === undefined ? null : date(raw['nbf']);
  if (notBefore === null && raw['nbf'] !== undefined) return malformed('its claim nbf is not a time in seconds');
  const id = raw['jti'] === undefined ? null : text(raw['jti']);
  if (id === null && raw['jti'] !== undefined) return malformed('its claim jti is not a short text');
  const client = text(raw['client_id']) ?? text(raw['azp']);
  return { issuer, audiences, subject, issuedAt, expiresAt, notBefore, id, client, raw };
}

/** Times of a token as they are judged. */
export interface ValidityRules {
  /** Seconds. */
  readonly clockSkew: number;
  /** Seconds. */
  readonly gracePeriod: number;
}

/** Whether a token is valid at this time; null: it is. @param now epoch milliseconds */
export function faultOfTimes(
  { expiresAt, issuedAt, notBefore }: Pick<TokenClaims, 'expiresAt' | 'issuedAt' | 'notBefore'>,
  { clockSkew, gracePeriod }: ValidityRules,
  now: number,
): TokenFault | null {
  const skew = clockSkew * 1_000;
  if (expiresAt + skew + gracePeriod * 1_000 <= now) return new TokenFault('expired', 'it has expired; get a new one');
  const begins = Math.max(issuedAt, notBefore ?? issuedAt);
  if (begins > now + skew) return new TokenFault('notYetValid', 'it is not valid yet; compare the clocks');
  return null;
}

function parse(payload: Uint8Array): RawClaims | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as RawClaims) : null;
  } catch {
    return null;
  }
}

/** Names go into logs and answers, so they have no control characters. */
function text(value: unknown, longest = MAX_TEXT): string | null {
  if (typeof value !== 'string' || value.length === 0 || value.length > longest) return null;
  return /[\p{Cc}\p{Cs}\u2028\u2029]/u.test(value) ? null : value;
}

/** Milliseconds of a NumericDate (RFC 7519, 2): seconds, perhaps with a fraction. */
function date(value: unknown): number | null {
  return typeof value === 'number' && value >= 0 && value <= MAX_DATE ? Math.floor(value * 1_000) : null;
}

function audiencesOf(value: unknown): readonly string[] | null {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || list.length > MAX_AUDIENCES) return null;
  return list.every((entry) => typeof entry === 'string' && entry !== '') ? (list as readonly string[]) : null;
}

const malformed = (reason: string): TokenFault => new TokenFault('malformed', reason);
