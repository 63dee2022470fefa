import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT, type JWTPayload } from 'jose';
import { AccessTokens } from '../../src/auth/tokens/access-tokens.js';
import { DenialList } from '../../src/auth/tokens/denial-list.js';
import { OwnIssuer, type IssuedToken } from '../../src/auth/tokens/own-issuer.js';
import { SigningKeys } from '../../src/auth/tokens/signing-keys.js';
import { DEFAULT_RULES, type TokenRules } from '../../src/auth/tokens/token-rules.js';
import type { TrustedIssuer } from '../../src/auth/tokens/trusted-issuer.js';
import { SettableClock } from './clock.js';
import { MemoryClusterKeys } from './memory-cluster-keys.js';

export const ISSUER = 'https://umbra.test';
export const FOREIGN = 'https://issuer.test';
export const GRANT = { tenant: 'acme', principal: 'lamp-1', client: 'lamp-1', scopes: ['device'] };
/** The keys of the foreign issuer: RSA, as most have. */
export const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** All of a node that judges access tokens, on a clock that stands, with one issuer beside its own. */
export class TokenNode {
  readonly clock = new SettableClock();
  readonly keys = new MemoryClusterKeys();
  readonly signing = new SigningKeys(this.keys, Buffer.alloc(32, 1), this.clock);
  readonly denials = new DenialList(this.keys.under('denials/'), this.clock);
  /** In force with the next question. */
  rules: TokenRules = DEFAULT_RULES;
  readonly own = new OwnIssuer({
    ...{ issuer: ISSUER, audience: ISSUER, keys: this.signing, denials: this.denials, clock: this.clock },
    rules: () => this.rules,
  });
  readonly issuers = new Map<string, readonly TrustedIssuer[]>(
    [this.own, FOREIGN_ISSUER].map((each) => [each.issuer, [each]]),
  );
  readonly tokens = this.tokensWith(this.denials);

  /** Tokens judged by another list of denials. */
  tokensWith(denials: DenialList): AccessTokens {
    return new AccessTokens({ issuers: () => this.issuers, denials, rules: () => this.rules, clock: this.clock });
  }

  /** Seconds. */
  get now(): number {
    return Math.floor(this.clock.now() / 1000);
  }

  async issued(grant = GRANT): Promise<IssuedToken> {
    return (await this.own.issue(grant)) as IssuedToken;
  }

  /** What a token of ours says; undefined leaves a claim out. */
  claims(changes: Record<string, unknown> = {}): Record<string, unknown> {
    const times = { iat: this.now, exp: this.now + 600 };
    const all = { iss: ISSUER, aud: ISSUER, sub: 'lamp-1', jti: 'j', tenant: 'acme', scope: 'device', ...times };
    return { ...all, ...changes };
  }

  header(): Record<string, unknown> & { alg: string } {
    return { alg: 'ES256', typ: 'at+jwt', kid: this.signing.current.kid };
  }

  /** A token that our own key has signed, whatever it says. */
  signed(payload: Record<string, unknown>, head: Record<string, unknown> = {}, key?: KeyObject): Promise<string> {
    return new SignJWT(payload as JWTPayload)
      .setProtectedHeader({ ...this.header(), ...head })
      .sign(key ?? this.signing.current.privateKey);
  }

  /** A token of the foreign issuer. */
  rsaSigned(changes: Record<string, unknown> = {}, head: Record<string, unknown> = {}): Promise<string> {
    const claims = { iss: FOREIGN, aud: 'umbra', sub: 'u', iat: this.now, exp: this.now + 60, org: 'acme', ...changes };
    return this.signed(claims, { alg: 'RS256', typ: 'JWT', kid: 'rsa-1', ...head }, RSA.privateKey);
  }
}

const FOREIGN_ISSUER: TrustedIssuer = {
  issuer: FOREIGN,
  audiences: ['umbra'],
  algorithms: ['RS256'],
  types: ['at+jwt', 'jwt'],
  key: ({ kid }) => Promise.resolve(kid === 'rsa-1' ? RSA.publicKey : null),
  knows: (kid) => kid === 'rsa-1',
  identify: ({ subject, raw }) =>
    typeof raw['org'] === 'string' ? { tenant: raw['org'], principal: subject, scopes: [] } : null,
};

/** A token with one part (header, payload, signature) changed. */
export const tampered = (token: string, part: 0 | 1 | 2, change: (text: string) => string): string =>
  token
    .split('.')
    .map((text, index) => (index === part ? change(text) : text))
    .join('.');
