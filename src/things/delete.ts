import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../access/principal.js';
import { ServiceError } from '../errors/service-error.js';
import { DeleteShadow, type DeletedRecord } from '../shadow/delete.js';
import { SHADOW_STORE, type RequestOptions, type ShadowStore } from '../store/shadow-store.js';

/** Named shadows that one call deletes at most. */
export const MAX_DELETED = 100;

export interface DeleteThingCall extends RequestOptions {
  readonly thing: string;
  readonly principal: Principal;
  readonly after?: string;
}

export interface DeletedShadows {
  /** Shadows that this call deleted. */
  readonly records: readonly DeletedRecord[];
  /** Errors of shadows that could not be deleted. */
  readonly errors: readonly unknown[];
  /** Opaque; present when the thing may have more shadows. */
  readonly next?: string;
  /** Of the last of these deletes; where there is none, the revision at which the names were read. */
  readonly revision: number;
}

/**
 * Deletes a thing: each of its shadows separately, like a delete of that shadow. A shadow that is created meanwhile
 * stays. A repeated call continues where the last one ended.
 */
@Injectable()
export class DeleteThing {
  constructor(
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
    @Inject(DeleteShadow) private readonly shadow: DeleteShadow,
  ) {}

  /**
   * @throws ServiceError notFound for a thing without a shadow; invalidRequest for a bad `after`; what the store throws
   * for the list of its shadows
   */
  async delete(call: DeleteThingCall, clientToken: string | undefined): Promise<DeletedShadows> {
    const { thing, principal, after } = call;
    const { tenant } = principal;
    const { names, next, revision: listedAt } = await this.store.listNames(tenant, thing, MAX_DELETED, after, call);
    const all = after === undefined ? [null, ...names] : names;
    const results = await Promise.allSettled(
      all.map((name) => this.shadow.delete({ ...call, key: { tenant, thing, name } }, clientToken)),
    );
    const records = results.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    // A shadow that no longer exists needs no delete.
    const errors = results
      .flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []))
      .filter((error) => !(error instanceof ServiceError && error.code === 'notFound'));
    const nothing = records.length === 0 && errors.length === 0;
    if (nothing && after === undefined && next === undefined) throw new ServiceError('notFound', thing);
    const revision = Math.max(listedAt, ...records.map(({ position }) => position.revision));
    return { records, errors, revision, ...(next !== undefined && { next }) };
  }
}
