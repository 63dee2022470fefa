import { createHash } from 'node:crypto';
import { ServiceError } from '../../errors/service-error.js';
import type { Clock } from '../../resilience/clock.js';
import type { DenialList, Deniable } from './denial-list.js';
import { faultOfTimes } from './token-claims.js';
import { TokenFault } from './token-fault.js';
import { faultOfAudience, faultOfForm, MAX_TOKEN_BYTES, readToken, type AuthenticToken } from './token-reader.js';
import { RULE_LIMITS, type TokenRules } from './token-rules.js';
import type { TokenIdentity, TrustedIssuer, TrustedIssuers } from './trusted-issuer.js';
import { VerifiedTokens } from './verified-tokens.js';

/** Verifications under way at once; each waits for a thread of the crypto pool. */
const MAX_VERIFYING = 4_096;

/** A token that was accepted. Times are epoch milliseconds. */
export interface VerifiedToken extends TokenIdentity, Deniable {
  readonly tenant: string;
  readonly principal: string;
  readonly client: string | null;
  readonly expiresAt: number;
  readonly notBefore: number | null;
}

interface Entry {
  readonly verified: VerifiedToken;
  readonly issuer: TrustedIssuer;
  readonly kid: string | undefined;
  /** Generation of the denials that it was judged by last. */
  judged: number;
}

export interface AccessTokenParts {
  /** A change of them takes effect with the next token. */
  issuers(): TrustedIssuers;
  readonly denials: DenialList;
  /** The rules of a tenant. It must not wait. */
  rules(tenant: string): TokenRules;
  readonly clock: Clock;
}

/**
 * Decides which access tokens are accepted. What was verified is remembered, yet judged anew each time by the clock, the
 * denials, the rules and the keys of its issuer: each of them takes effect with the next use.
 */
export class AccessTokens {
  readonly #verifying = new Map<string, Promise<VerifiedToken | TokenFault>>();

  constructor(
    private readonly parts: AccessTokenParts,
    private readonly remembered = new VerifiedTokens<Entry>(),
  ) {}

  /**
   * The answer without waiting; null: the token is not remembered, so that verify() has to be asked. No errors.
   * Doors ask this first.
   */
  recall(token: string): VerifiedToken | TokenFault | null {
    if (token.length > MAX_TOKEN_BYTES) return null;
    const { clock, denials, issuers } = this.parts;
    const entry = this.remembered.get(token, clock.monotonic());
    if (entry === null) return null;
    const { verified, issuer, kid } = entry;
    if (!issuers().get(issuer.issuer)?.includes(issuer) || !issuer.knows(kid)) return this.#forget(token, null);
    const late = faultOfTimes(verified, this.parts.rules(verified.tenant), clock.now());
    if (late) return this.#forget(token, late);
    if (entry.judged === denials.generation) return verified;
    const denied = denials.faultOf(verified);
    if (denied) return this.#forget(token, denied);
    entry.judged = denials.generation;
    return verified;
  }

  /**
   * @returns who the token speaks for, or why it is refused
   * @throws ServiceError overloaded when too many tokens are being verified; storageUnavailable when the keys of the
   * issuer cannot be had
   */
  async verify(token: string): Promise<VerifiedToken | TokenFault> {
    const malformed = faultOfForm(token);
    if (malformed) return malformed;
    const known = this.recall(token);
    if (known !== null) return known;
    const running = this.#verifying.get(token);
    if (running) return running;
    if (this.#verifying.size >= MAX_VERIFYING) throw new ServiceError('overloaded', 'too many tokens to verify');
    const verifying = this.#verify(token).finally(() => this.#verifying.delete(token));
    this.#verifying.set(token, verifying);
    return verifying;
  }

  /** Epoch milliseconds at which a connection that this token opened has to end. No errors. */
  endsAt({ expiresAt, tenant }: VerifiedToken): number {
    return expiresAt + this.parts.rules(tenant).gracePeriod * 1_000;
  }

  async #verify(token: string): Promise<VerifiedToken | TokenFault> {
    const { clock, denials, issuers, rules } = this.parts;
    const read = await readToken(token, issuers());
    if (read instanceof TokenFault) return read;
    const foreign = faultOfAudience(read) ?? faultOfLife(read);
    if (foreign) return foreign;
    const identity = read.issuer.identify(read.claims);
    if (identity instanceof TokenFault) return identity;
    if (identity === null) return new TokenFault('foreign', 'its claims name no tenant and principal of ours');
    const verified = verifiedOf(token, read, identity);
    const judged = denials.generation;
    const fault = faultOfTimes(verified, rules(verified.tenant), clock.now()) ?? denials.faultOf(verified);
    if (fault) return fault;
    this.remembered.set(token, { verified, issuer: read.issuer, kid: read.kid, judged }, clock.monotonic());
    return verified;
  }

  #forget<T>(token: string, answer: T): T {
    this.remembered.delete(token);
    return answer;
  }
}

/** A denial is kept as long as a token can live, so none may live longer. */
function faultOfLife({ claims }: AuthenticToken): TokenFault | null {
  const longest = RULE_LIMITS.ttl[1];
  if (claims.expiresAt - claims.issuedAt <= longest * 1_000) return null;
  return new TokenFault('malformed', `it lives longer than ${longest} s from iat to exp; issue shorter ones`);
}

function verifiedOf(token: string, { issuer, claims }: AuthenticToken, identity: TokenIdentity): VerifiedToken {
  const { key = null } = identity;
  const { client, issuedAt, expiresAt, notBefore } = claims;
  // Tokens without a name of their own are denied by what is signed: a signature has several forms that hold.
  const id = claims.id ?? `sha256:${createHash('sha256').update(signedPart(token)).digest('base64url')}`;
  return { ...identity, key, client, issuer: issuer.issuer, id, issuedAt, expiresAt, notBefore };
}

const signedPart = (token: string): string => token.slice(0, token.lastIndexOf('.'));
