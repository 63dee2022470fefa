import { ServiceError } from '../../errors/service-error.js';
import type { Clock } from '../../resilience/clock.js';
import type { ClusterKeys, StoredKey } from '../../store/cluster-keys.js';
import { ClientBinding, type Presenter } from './client-binding.js';
import {
  decodeFamily,
  encodeFamily,
  standingOf,
  successorOf,
  withSuccessor,
  type RefreshFamily,
  type Standing,
} from './refresh-family.js';
import { FamilyTurns, type Turn } from './family-turns.js';
import { digestOf, RefreshTokenTexts } from './refresh-token.js';
import { TokenFault } from './token-fault.js';
import type { TokenRules } from './token-rules.js';

/** Families of one principal; the one that was not used for longest makes room. */
const MAX_FAMILIES = 64;
/** Tries of one use: a try is lost only to another use of the family. */
const TRIES = 8;

/** A refresh token with what its family allows. */
export interface RefreshGrant {
  /** The token for the client; nobody else keeps it. */
  readonly token: string;
  readonly family: string;
  readonly tenant: string;
  readonly principal: string;
  readonly client: string;
  readonly scopes: readonly string[];
  /** Epoch milliseconds. */
  readonly endsAt: number;
}

/** An old token was used: it, or its successor, is in the hands of two. The family is revoked. */
export interface ReuseReport {
  readonly family: string;
  readonly tenant: string;
  readonly principal: string;
  readonly client: string;
  /** Who presented it. */
  readonly presenter: Presenter;
}

export interface RefreshTokenParts {
  /** The records are all keys below its path. */
  readonly keys: ClusterKeys;
  /** 32 bytes. */
  readonly masterKey: Uint8Array;
  readonly clock: Clock;
  /** The rules of a tenant. It must not wait. */
  rules(tenant: string): TokenRules;
  /** It must not throw. */
  onReuse(report: ReuseReport): void;
}

interface Found {
  readonly key: string;
  readonly family: RefreshFamily;
  readonly stored: StoredKey;
}

/**
 * Refresh tokens (RFC 9700, 4.14.2): each is used once. A family is one record, and a use is one compare-and-swap, so
 * that the old token ends and its successor begins in one step, whatever number of nodes race.
 */
export class RefreshTokens {
  readonly #texts: RefreshTokenTexts;
  readonly #binding: ClientBinding;
  readonly #turns = new FamilyTurns((key: string) => this.#find(key));

  /** @throws RangeError for a master key that has not 32 bytes */
  constructor(private readonly parts: RefreshTokenParts) {
    this.#texts = new RefreshTokenTexts(parts.masterKey);
    this.#binding = new ClientBinding(parts.masterKey);
  }

  /**
   * The first token of a new family.
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  async begin(
    { tenant, principal, scopes }: Pick<RefreshGrant, 'tenant' | 'principal' | 'scopes'>,
    presenter: Presenter,
  ): Promise<RefreshGrant> {
    const { keys, clock } = this.parts;
    const rules = this.parts.rules(tenant);
    await this.#makeRoom(tenant, principal);
    const key = this.#texts.makeFamily(tenant, principal);
    const token = this.#texts.make(key);
    const at = clock.now();
    const endsAt = at + rules.refreshTtl * 1_000;
    const bound = this.#binding.bind(presenter, rules.binding);
    const family = { tenant, principal, scopes, bound, current: digestOf(token), previous: null, at, endsAt };
    // One lease for the life of the family: one for each token would stay in the storage until its end.
    const lease = await keys.grant(rules.refreshTtl);
    const done = await keys.commit({
      guards: [{ key, value: null }],
      puts: [{ key, value: encodeFamily(family), lease }],
    });
    // A commit that went through without an answer is reported as lost too. Nobody has that token: it ends by its lease.
    if (done === null) throw new ServiceError('storageUnavailable');
    return grantOf(key, family, token);
  }

  /**
   * Uses a token: the caller gets its successor. A used one gets the same successor for `reuseGrace`, and ends the
   * family after that.
   * @throws ServiceError storageUnavailable, storageFull, draining, and the token may have been used; tooManyRequests
   * when too many use the family at once
   */
  async use(token: string, presenter: Presenter): Promise<RefreshGrant | TokenFault> {
    const key = this.#texts.familyOf(token);
    if (key === null) return new TokenFault('unknown', 'the refresh token is not known');
    return this.#turns.run(key, async (turn) => {
      for (let tries = 0; tries < TRIES; tries++) {
        const found = await turn.read();
        if (found === null) return REVOKED;
        const answer = await this.#useOnce(found, token, presenter, turn);
        if (answer !== null) return answer;
        turn.forget();
      }
      throw new ServiceError('storageUnavailable');
    });
  }

  /**
   * Ends the family of a token, whichever of its tokens it is (RFC 7009). Nothing happens for a token that is none of
   * ours, or of another client.
   * @returns the family that was ended; null: none
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  async revoke(token: string, client: string): Promise<RefreshGrant | null> {
    const key = this.#texts.familyOf(token);
    const found = key === null ? null : await this.#find(key);
    if (found === null || found.family.bound.client !== client) return null;
    await this.#end(found.key, found.stored.lease);
    return grantOf(found.key, found.family, '');
  }

  /**
   * Ends all families of a principal.
   * @returns how many
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  async revokeAll(tenant: string, principal: string): Promise<number> {
    const families = await this.#familiesOf(tenant, principal);
    for (const { key, stored } of families) await this.#end(key, stored.lease);
    return families.length;
  }

  /**
   * What the token can be used for, without using it (RFC 7662); null: nothing.
   * @throws ServiceError storageUnavailable, draining
   */
  async inspect(token: string): Promise<RefreshGrant | null> {
    const key = this.#texts.familyOf(token);
    const found = key === null ? null : await this.#find(key);
    if (found === null || this.#standing(found.family, token) !== 'current') return null;
    return grantOf(found.key, found.family, '');
  }

  /** @returns null when another use was faster */
  async #useOnce(
    found: Found,
    token: string,
    presenter: Presenter,
    turn: Turn<Found | null>,
  ): Promise<RefreshGrant | TokenFault | null> {
    const { key, family } = found;
    const standing = this.#standing(family, token);
    if (standing === 'reused') return this.#reused(found, presenter, turn);
    if (standing === 'ended') return new TokenFault('expired', 'the refresh token has expired; log in again');
    if (!this.#binding.matches(family.bound, presenter, this.parts.rules(family.tenant).binding)) return BOUND;
    const after = standing === 'current' ? await this.#succeed(found, token, presenter) : found;
    if (after === null) return null;
    if (after !== found) turn.wrote(after);
    const successor = successorOf(after.family, token);
    return successor === null ? REVOKED : grantOf(key, after.family, successor);
  }

  /** @returns null when another use was faster */
  async #succeed({ key, family, stored }: Found, token: string, presenter: Presenter): Promise<Found | null> {
    const { keys, clock, rules } = this.parts;
    const bound = this.#binding.bind(presenter, rules(family.tenant).binding);
    const after = withSuccessor(family, token, this.#texts.make(key), bound, clock.now());
    const value = encodeFamily(after);
    const lease = stored.lease === null ? {} : { lease: stored.lease };
    const guards = [{ key, revision: stored.revision }];
    const revision = await keys.commit({ guards, puts: [{ key, value, ...lease }] });
    return revision === null ? null : { key, family: after, stored: { ...stored, value, revision } };
  }

  /** Guarded, so that it is judged by the record as it is. A lost answer must not lose the report: it may come twice. */
  async #reused(
    { key, family, stored }: Found,
    presenter: Presenter,
    turn: Turn<Found | null>,
  ): Promise<TokenFault | null> {
    const guards = [{ key, revision: stored.revision }];
    const done = await this.parts.keys.commit({ guards, deletes: [key] });
    if (done === null && (await this.#find(key)) !== null) return null;
    turn.wrote(null);
    await this.#endLease(stored.lease);
    const { tenant, principal, bound } = family;
    this.parts.onReuse({ family: key, tenant, principal, client: bound.client, presenter });
    return new TokenFault('reused', 'the refresh token was used before; all tokens of its login are revoked');
  }

  #standing(family: RefreshFamily, token: string): Standing {
    return standingOf(family, token, this.parts.rules(family.tenant), this.parts.clock.now());
  }

  async #find(key: string): Promise<Found | null> {
    const stored = await this.parts.keys.get(key);
    return stored && { key, stored, family: decodeFamily(stored.value) };
  }

  async #familiesOf(tenant: string, principal: string): Promise<Found[]> {
    const stored = await this.parts.keys.list(this.#texts.ownerOf(tenant, principal));
    return [...stored]
      .map(([key, each]) => ({ key, stored: each, family: decodeFamily(each.value) }))
      .filter(({ family }) => family.tenant === tenant && family.principal === principal);
  }

  async #makeRoom(tenant: string, principal: string): Promise<void> {
    const families = await this.#familiesOf(tenant, principal);
    const surplus = families.length - MAX_FAMILIES + 1;
    const longestIdle = families.sort((a, b) => a.family.at - b.family.at).slice(0, Math.max(0, surplus));
    for (const { key, stored } of longestIdle) await this.#end(key, stored.lease);
  }

  /** Not guarded by a revision: no use that races may keep a family that is revoked. */
  async #end(key: string, lease: string | null): Promise<void> {
    await this.parts.keys.commit({ guards: [], deletes: [key] });
    await this.#endLease(lease);
  }

  async #endLease(lease: string | null): Promise<void> {
    // It has no key any more and ends by itself, too.
    if (lease !== null) await this.parts.keys.revoke(lease).catch(() => undefined);
  }
}

const REVOKED = new TokenFault('revoked', 'the refresh token was revoked, or its login has ended; log in again');
const BOUND = new TokenFault('bound', 'the refresh token belongs to another client or place; log in again');

function grantOf(key: string, family: RefreshFamily, token: string): RefreshGrant {
  const { tenant, principal, scopes, bound, endsAt } = family;
  return { token, family: key, tenant, principal, scopes, client: bound.client, endsAt };
}
