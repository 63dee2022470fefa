import { isTombstone, type ShadowState } from '../document/shadow-document.js';
import { StoredDocument } from '../document/stored-document.js';
import { ServiceError } from '../errors/service-error.js';
import { covers } from './claimed-things.js';

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

/** The key of a claim that keeps a write from `desired` of the thing; null: none does. @param own key that the write is fenced with */
export function keptFrom(
  claims: ReadonlyMap<string, ExclusiveClaim>,
  thing: string,
  own: string | undefined,
): string | null {
  for (const [key, claim] of claims) if (key !== own && covers(claim, thing)) return key;
  return null;
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
