import { ServiceError } from '../../errors/service-error.js';
import { readAuthority, type Authority, type AuthorityRecord } from './authority.js';

/**
 * Authorities with one name and key identifier that are asked for one certificate: each costs the check of a signature,
 * and both parts are free to choose for whoever makes an authority.
 */
export const MAX_NAMESAKES = 8;

/** A stored authority that is not used, and why. */
export interface UnusedAuthority {
  readonly record: AuthorityRecord;
  /** For operators. */
  readonly reason: string;
}

const KEY_OF_OTHER = 'another tenant has registered an authority with the same key; make a new key';
const TOO_MANY_NAMESAKES = `${MAX_NAMESAKES} authorities with this name and key identifier are registered; remove one, or choose another name`;

/**
 * The authorities of all tenants, which does not change: a change makes a new registry. A certificate finds its
 * authority by the issuer's name and key identifier, at a cost that does not depend on how many there are.
 *
 * A key belongs to one tenant: with two, nobody could tell whose device a certificate is. Of authorities that exclude
 * each other the one that was registered first counts, so that a tenant cannot push out another's.
 */
export class CaRegistry {
  static readonly EMPTY = new CaRegistry([], []);

  readonly #byId = new Map<string, Authority>();
  readonly #byKeyHash = new Map<string, Authority[]>();
  readonly #byName = new Map<string, Authority[]>();
  readonly #byNameAndKeyId = new Map<string, Authority[]>();
  readonly #records = new Map<AuthorityRecord, Authority>();
  readonly #unused: UnusedAuthority[];

  private constructor(authorities: readonly (readonly [AuthorityRecord, Authority])[], unused: UnusedAuthority[]) {
    this.#unused = unused;
    for (const [record, authority] of authorities) {
      const reason = this.#conflictOf(authority);
      if (reason === null) this.#add(record, authority);
      else unused.push({ record, reason });
    }
  }

  /**
   * @param previous records that it has too, by identity, are not parsed again
   * @returns a registry of all records that are good; `unused` has the others. No errors.
   */
  static of(records: Iterable<AuthorityRecord>, previous: CaRegistry = CaRegistry.EMPTY): CaRegistry {
    const unused: UnusedAuthority[] = [];
    const read: [AuthorityRecord, Authority][] = [];
    for (const record of records) {
      try {
        read.push([record, previous.#records.get(record) ?? readAuthority(record)]);
      } catch (error) {
        unused.push({ record, reason: error instanceof ServiceError ? error.message : 'the record is malformed' });
      }
    }
    return new CaRegistry(read.sort(byAge), unused);
  }

  /** Records that are not used; health shows them. */
  get unused(): readonly UnusedAuthority[] {
    return this.#unused;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** The authority of this tenant whose certificate has this fingerprint. */
  get(tenant: string, caId: string): Authority | undefined {
    return this.#byId.get(`${tenant}/${caId}`);
  }

  /** Authorities of a tenant with this key: several after a renewal, none after its removal. */
  withKey(tenant: string, keyHash: string): readonly Authority[] {
    const found = this.#byKeyHash.get(keyHash) ?? [];
    return found[0]?.tenant === tenant ? found : [];
  }

  /**
   * Those that may have issued a certificate, oldest first, at most MAX_NAMESAKES.
   *
   * @param issuer DER of the issuer's name, one character a byte
   * @param keyId hexadecimal; null when the certificate does not have it, so that the name must do
   */
  candidates(issuer: string, keyId: string | null): readonly Authority[] {
    const found = keyId === null ? this.#byName.get(issuer) : this.#byNameAndKeyId.get(`${keyId}/${issuer}`);
    return found ?? [];
  }

  /**
   * Checks that an authority which is to be registered would be used.
   *
   * @throws ServiceError invalidRequest
   */
  checkNew(authority: Authority): void {
    const reason = this.#conflictOf(authority);
    if (reason !== null) throw new ServiceError('invalidRequest', `The authority cannot be registered: ${reason}`);
  }

  #conflictOf({ tenant, caId, keyHash, keyId, subject }: Authority): string | null {
    const sameKey = this.#byKeyHash.get(keyHash)?.[0];
    if (sameKey && sameKey.tenant !== tenant) return KEY_OF_OTHER;
    if (this.get(tenant, caId)) return 'it is registered already';
    return this.candidates(subject, keyId).length < MAX_NAMESAKES ? null : TOO_MANY_NAMESAKES;
  }

  #add(record: AuthorityRecord, authority: Authority): void {
    const { tenant, caId, keyHash, keyId, subject } = authority;
    this.#records.set(record, authority);
    this.#byId.set(`${tenant}/${caId}`, authority);
    append(this.#byKeyHash, keyHash, authority);
    append(this.#byNameAndKeyId, `${keyId}/${subject}`, authority);
    const namesakes = this.#byName.get(subject);
    // Devices of later ones need the key identifier in their certificates.
    if (!namesakes || namesakes.length < MAX_NAMESAKES) append(this.#byName, subject, authority);
  }
}

function append(lists: Map<string, Authority[]>, key: string, authority: Authority): void {
  const list = lists.get(key);
  if (list) list.push(authority);
  else lists.set(key, [authority]);
}

function byAge([, one]: readonly [unknown, Authority], [, other]: readonly [unknown, Authority]): number {
  const order = one.registeredAtMs - other.registeredAtMs;
  if (order !== 0) return order;
  return one.caId < other.caId ? -1 : one.caId > other.caId ? 1 : one.tenant < other.tenant ? -1 : 1;
}
