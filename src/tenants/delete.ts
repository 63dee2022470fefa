import { Inject, Injectable } from '@nestjs/common';
import type { AccessDirectory } from '../directory/access-directory.js';
import { RECORD_KINDS, type KindName } from '../directory/access-records.js';
import { Administration, type Expected } from '../directory/administration.js';
import { ServiceError } from '../errors/service-error.js';
import { SHADOW_STORE, type RequestOptions, type ShadowStore } from '../store/shadow-store.js';

/** Kinds of records that are named by a tenant and a name of their own. A revocation, which has more, only takes away. */
const KINDS = (Object.keys(RECORD_KINDS) as KindName[]).filter((kind) => RECORD_KINDS[kind].parts.length === 2);

/** A kind of records of which the tenant has some; null: it has none. No errors. */
export function whatIsIn(directory: AccessDirectory, tenant: string): KindName | null {
  for (const kind of KINDS) for (const _ of directory.list(kind, tenant)) return kind;
  return null;
}

/** Deletes tenants that have nobody and nothing any more: a later tenant of that name would get what is left of this one. */
@Injectable()
export class DeleteTenant {
  constructor(
    private readonly administration: Administration,
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
  ) {}

  /** @throws ServiceError noRecord, invalidRequest, preconditionFailed, storageUnavailable, draining */
  async delete(tenant: string, expected: Expected, options: RequestOptions): Promise<void> {
    this.administration.get('tenant', [tenant]);
    // Before the shadows are looked for: where nobody was in the tenant, nobody can have written one meanwhile.
    const kind = whatIsIn(this.administration.directory, tenant);
    const thing = await this.#anyThing(tenant, options);
    // Named first: only principals of the tenant can delete its shadows.
    if (thing !== null) throw inUse(`shadows, of the thing ${thing} for one`);
    if (kind !== null) throw inUse(`a ${kind}`);
    await this.administration.remove('tenant', [tenant], expected);
  }

  /** A thing of the tenant that has a shadow; null: there is none. */
  async #anyThing(tenant: string, options: RequestOptions): Promise<string | null> {
    let after: string | undefined;
    do {
      const { things, next } = await this.store.listThings(tenant, 1, after, options);
      if (things[0] !== undefined) return things[0].thing;
      after = next;
    } while (after !== undefined);
    return null;
  }
}

const inUse = (what: string): ServiceError =>
  new ServiceError('invalidRequest', `The tenant still has ${what}; delete those first, or disable the tenant`);
