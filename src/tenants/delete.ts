import { Injectable } from '@nestjs/common';
import type { AccessDirectory } from '../directory/access-directory.js';
import { RECORD_KINDS, type KindName } from '../directory/access-records.js';
import { Administration, type Expected } from '../directory/administration.js';
import { ServiceError } from '../errors/service-error.js';

/** Kinds of records that are named by a tenant and a name of their own. A revocation, which has more, only takes away. */
const KINDS = (Object.keys(RECORD_KINDS) as KindName[]).filter((kind) => RECORD_KINDS[kind].parts.length === 2);

/** A kind of records of which the tenant has some; null: it has none. No errors. */
export function whatIsIn(directory: AccessDirectory, tenant: string): KindName | null {
  for (const kind of KINDS) for (const _ of directory.list(kind, tenant)) return kind;
  return null;
}

/** Deletes tenants that have nobody any more. */
@Injectable()
export class DeleteTenant {
  constructor(private readonly administration: Administration) {}

  /** @throws ServiceError noRecord, invalidRequest, preconditionFailed, storageUnavailable, draining */
  async delete(tenant: string, expected: Expected): Promise<void> {
    this.administration.get('tenant', [tenant]);
    const kind = whatIsIn(this.administration.directory, tenant);
    if (kind !== null)
      throw new ServiceError(
        'invalidRequest',
        `The tenant still has a ${kind}; delete those first, or disable the tenant`,
      );
    await this.administration.remove('tenant', [tenant], expected);
  }
}
