import { isTombstone, type ShadowState } from '../document/shadow-document.js';
import { StoredDocument } from '../document/stored-document.js';
import { ServiceError } from '../errors/service-error.js';
import { isPrefix, stem } from './claimed-things.js';

/**
 * Leases as the store knows them: keys below the cluster's own, of which the exclusive ones keep everybody else's
 * writes from `desired`. The turn of a tenant is put with every new exclusive lease, in the same transaction. So a write
 * that compares the turn is committed only if no lease was taken that its node does not know. A lease that ends leaves
 * the turn as it was: what a node still takes for held, it looks at again before it refuses a write.
 */

/** Folder of the leases of a tenant, below the cluster's own keys. */
export const leaseFolder = (tenant: string): string => `leases/${tenant}/`;
/** Key of a lease, which fences name. */
export const leaseKey = (tenant: string, id: string): string => `${leaseFolder(tenant)}held/${id}`;
/** Key that every new exclusive lease of the tenant puts. */
export const exclusiveTurn = (tenant: string): string => `${leaseFolder(tenant)}exclusive`;

/** An exclusive lease, as far as writes are concerned. */
export interface ExclusiveClaim {
  /** What it is about (store/claimed-things.ts). */
  readonly things: readonly string[];
  /** How long it lives after it was taken or renewed. */
  readonly ttlSeconds: number;
}

/** The claim in the stored text of a lease; null: it is not exclusive. @throws SyntaxError for a text that is no lease */
export function exclusiveClaimOf(text: string): ExclusiveClaim | null {
  const { exclusive, things, ttlSeconds } = JSON.parse(text) as ExclusiveClaim & { readonly exclusive?: boolean };
  return exclusive === true ? { things, ttlSeconds } : null;
}

/**
 * The exclusive leases of one tenant, by what they are about. They are those of one moment, so no two share a thing. A
 * tenant may have 10,000 names in them and every write to `desired` asks, so no call looks through all.
 */
export class ExclusiveClaims {
  readonly #claims: Map<string, ExclusiveClaim>;
  /** Keys of the claims, by names of things. */
  readonly #names = new Map<string, string>();
  /** Keys of the claims, by prefixes without their asterisks. */
  readonly #stems = new Map<string, string>();
  /** Those prefixes in order; none begins with another, so only the last one up to a name can be a prefix of it. */
  readonly #sorted: readonly string[];
  /** Names and prefixes in all claims. */
  readonly names: number;

  /** @param claims by their keys */
  constructor(claims: Iterable<readonly [key: string, claim: ExclusiveClaim]> = []) {
    this.#claims = new Map(claims);
    let names = 0;
    for (const [key, { things }] of this.#claims) {
      names += things.length;
      for (const each of things) {
        if (isPrefix(each)) this.#stems.set(stem(each), key);
        else this.#names.set(each, key);
      }
    }
    this.names = names;
    this.#sorted = shortest([...this.#stems.keys()].sort());
  }

  /** The claim of the key; undefined: it has ended, or never was. No errors. */
  get(key: string): ExclusiveClaim | undefined {
    return this.#claims.get(key);
  }

  /** The claim was found to have ended: it keeps nobody from anything any more. No errors. */
  end(key: string): void {
    this.#claims.delete(key);
  }

  /** The key of the claim that keeps a write from `desired` of the thing; null: none does. @param own key that the write is fenced with */
  keptFrom(thing: string, own: string | undefined): string | null {
    if (this.#claims.size === 0) return null;
    const key = this.#names.get(thing) ?? this.#byPrefix(thing);
    return key === undefined || key === own || !this.#claims.has(key) ? null : key;
  }

  #byPrefix(thing: string): string | undefined {
    let from = 0;
    for (let end = this.#sorted.length; from < end;) {
      const middle = (from + end) >>> 1;
      if (this.#sorted[middle]! > thing) end = middle;
      else from = middle + 1;
    }
    const last = this.#sorted[from - 1];
    return last !== undefined && thing.startsWith(last) ? this.#stems.get(last) : undefined;
  }
}

/** Prefixes, in order, without those that begin with another one: a lease may have both. */
function shortest(sorted: readonly string[]): string[] {
  const kept: string[] = [];
  for (const each of sorted) {
    const last = kept.at(-1);
    if (last === undefined || !each.startsWith(last)) kept.push(each);
  }
  return kept;
}

/** The error of a write that a claim keeps from `desired` of the thing. No errors. */
export function exclusivelyHeld(thing: string, { ttlSeconds }: ExclusiveClaim): ServiceError {
  return new ServiceError('leaseExclusive', `${thing}; it ends ${ttlSeconds} s after its holder has renewed it last`);
}

/**
 * Whether a change is a write to `desired`: it deletes the shadow, or merges something into that section. A section that
 * an update leaves alone is the same object before and after it. No errors.
 */
export function changesDesired(before: ShadowState | null, after: ShadowState): boolean {
  if (isTombstone(after)) return true;
  return sectionOf(after) !== (before === null || isTombstone(before) ? null : sectionOf(before));
}

function sectionOf(document: Exclude<ShadowState, { deleted: true }>): object | null {
  return document instanceof StoredDocument ? document.desiredSection : (document.desired ?? null);
}
