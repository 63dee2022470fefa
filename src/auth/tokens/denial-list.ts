import { ServiceError } from '../../errors/service-error.js';
import type { Clock } from '../../resilience/clock.js';
import type { ClusterKeys, KeyListener, KeyUpdate } from '../../store/cluster-keys.js';
import { decodeDenial, encodeDenial, keyOfDenied, nameOfDenied, type Denial, type Denied } from './denial-record.js';
import { TokenFault } from './token-fault.js';
import { LONGEST_AFTER_END_MS, LONGEST_VALIDITY_MS } from './token-rules.js';

/** Denials that a node holds, 200 to 600 bytes each; beyond them the caller is told to deny principals instead. */
const MAX_DENIALS = 100_000;
/** Denials that one client may have asked for: it takes a hundred clients to fill the list. */
const MAX_OF_CLIENT = 1_000;
/** Milliseconds that the clock of the node that issued may be ahead of the one that denies. */
const CLOCK_DIFFERENCE_MS = 5_000;

/** What is judged of a token. Times are epoch milliseconds. */
export interface Deniable {
  readonly issuer: string;
  readonly id: string;
  readonly tenant: string;
  readonly principal: string;
  readonly issuedAt: number;
}

/**
 * Access tokens that are refused although their signatures hold, for the rest of their life. Each node holds the whole
 * list; the records end by their leases. What cannot be read denies nothing but is reported by load() and change().
 */
export class DenialList implements KeyListener {
  /** By the name of the denied, and that name by the key of its record. */
  #denials = new Map<string, Denial>();
  #names = new Map<string, string>();
  /** Made on this node: a snapshot may be older than they are, or their records not have come about. */
  #own = new Map<string, Denial>();
  /** How many each client has asked for. */
  #ofClients = new Map<string, number>();
  #generation = 0;
  readonly #listeners = new Set<() => void>();

  /** @param keys the records are all keys below its path */
  constructor(
    private readonly keys: ClusterKeys,
    private readonly clock: Clock,
    private readonly maxDenials = MAX_DENIALS,
    private readonly maxOfClient = MAX_OF_CLIENT,
  ) {}

  /** Grows with each denial: what was judged under the same number is not judged again. */
  get generation(): number {
    return this.#generation;
  }

  get size(): number {
    return this.#denials.size;
  }

  /** Calls `listener` in the turn of each new denial, until the returned function is called. It must not throw. No errors. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Reads all records.
   * @throws Error when one cannot be read: a token that was revoked must not be accepted because of a newer format
   * @throws ServiceError storageUnavailable, draining
   */
  async load(): Promise<void> {
    this.snapshot(await this.keys.list(''));
  }

  /** Takes over all records at once from a watch. @throws Error when one cannot be read; nothing changes */
  snapshot(records: ReadonlyMap<string, { readonly value: string }>): void {
    const read = [...records].map(([key, { value }]) => [key, decodeDenial(value)] as const);
    this.#denials = new Map(read.map(([, denial]) => [nameOfDenied(denial.denied), denial]));
    this.#names = new Map(read.map(([key, { denied }]) => [key, nameOfDenied(denied)]));
    this.#ofClients = new Map();
    for (const denial of this.#denials.values()) this.#count(denial, 1);
    this.#generation++;
    const now = this.clock.now();
    this.#own = new Map([...this.#own].filter(([, { until }]) => until > now));
    for (const [key, denial] of this.#own) this.#hold(key, denial);
    this.#notify();
  }

  /** Takes over one record from a watch; null: it has ended. @throws Error when it cannot be read; nothing changes */
  change({ key, value }: Pick<KeyUpdate, 'key' | 'value'>): void {
    if (value === null) this.#drop(key);
    else {
      this.#hold(key, decodeDenial(value));
      this.#notify();
    }
  }

  /**
   * Denies on this node at once, and on every other as soon as it has seen the record. A principal or a tenant may get
   * new tokens after 5 s.
   * @param expiresAt epoch milliseconds of the one token; null: not known, or more than one
   * @param by client that asks for it, whose denials are bounded; none: nobody who could ask too often
   * @throws ServiceError tooManyDenials for a client that has asked for too many; overloaded when the list is full; storageUnavailable, storageFull, draining, and then the
   * denial holds on this node alone
   */
  async deny(denied: Denied, expiresAt: number | null = null, by?: string): Promise<void> {
    const now = this.clock.now();
    const longest = now + LONGEST_VALIDITY_MS;
    const until = expiresAt === null ? longest : Math.min(longest, expiresAt + LONGEST_AFTER_END_MS);
    const denial: Denial = { denied, before: now + CLOCK_DIFFERENCE_MS, until, ...(by !== undefined && { by }) };
    const key = keyOfDenied(denied);
    if (!this.#names.has(key)) {
      if (this.#denials.size >= this.maxDenials) this.#makeRoom(now);
      if (by !== undefined && (this.#ofClients.get(by) ?? 0) >= this.maxOfClient)
        throw new ServiceError('tooManyDenials', `${this.maxOfClient} of its tokens are revoked`);
    }
    this.#own.set(key, denial);
    this.#hold(key, denial);
    this.#notify();
    const lease = await this.keys.grant(Math.max(1, Math.ceil((until - now) / 1_000)));
    const done = await this.keys.commit({ guards: [], puts: [{ key, value: encodeDenial(denial), lease }] });
    if (done === null) throw new ServiceError('storageUnavailable');
  }

  /** Why a token is refused; null: it is not denied. No errors. */
  faultOf(token: Deniable): TokenFault | null {
    if (this.#denials.size === 0) return null;
    const { issuer, id, tenant, principal, issuedAt } = token;
    const isDenied =
      this.#denials.has(nameOfDenied({ kind: 'token', issuer, id })) ||
      this.#isBefore({ kind: 'principal', tenant, principal }, issuedAt) ||
      this.#isBefore({ kind: 'tenant', tenant }, issuedAt);
    return isDenied ? new TokenFault('revoked', 'it was revoked; get a new one') : null;
  }

  #isBefore(denied: Denied, issuedAt: number): boolean {
    const denial = this.#denials.get(nameOfDenied(denied));
    return denial !== undefined && issuedAt < denial.before;
  }

  #hold(key: string, denial: Denial): void {
    const name = nameOfDenied(denial.denied);
    const held = this.#denials.get(name);
    // A late echo of an earlier denial must not shorten a later one.
    if (held === undefined || held.before <= denial.before) {
      this.#count(held, -1);
      this.#count(denial, 1);
      this.#denials.set(name, denial);
    }
    this.#names.set(key, name);
    this.#generation++;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  #drop(key: string): void {
    const name = this.#names.get(key);
    this.#names.delete(key);
    this.#own.delete(key);
    if (name === undefined) return;
    this.#count(this.#denials.get(name), -1);
    this.#denials.delete(name);
  }

  #count(denial: Denial | undefined, by: 1 | -1): void {
    if (denial?.by === undefined) return;
    const count = (this.#ofClients.get(denial.by) ?? 0) + by;
    if (count > 0) this.#ofClients.set(denial.by, count);
    else this.#ofClients.delete(denial.by);
  }

  /** The etcd of a node that is cut off ends no record for it. */
  #makeRoom(now: number): void {
    for (const [key, name] of this.#names) {
      if ((this.#denials.get(name)?.until ?? 0) <= now) this.#drop(key);
    }
    if (this.#denials.size < this.maxDenials) return;
    throw new ServiceError('overloaded', `${this.maxDenials} tokens are denied; deny their principals instead`);
  }
}
