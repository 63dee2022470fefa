import { Injectable } from '@nestjs/common';
import type { AccessDirectory } from '../directory/access-directory.js';
import type { KindName } from '../directory/access-records.js';
import { Administration, type Expected } from '../directory/administration.js';
import { ServiceError } from '../errors/service-error.js';

/** A kind of records of which the tenant has some; null: it has none. No errors. */
export function whatIsIn(directory: AccessDirectory, tenant: string): KindName | null {
  for (const kind of ['principal', 'policy', 'group', 'authority'] as const)
    for (const _ of directory.list(kind, tenant)) return kind;
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
