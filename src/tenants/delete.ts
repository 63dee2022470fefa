import { Injectable } from '@nestjs/common';
import { Administration, type Expected } from '../directory/administration.js';
import { ServiceError } from '../errors/service-error.js';

/** Deletes tenants that have nobody any more. */
@Injectable()
export class DeleteTenant {
  constructor(private readonly administration: Administration) {}

  /** @throws ServiceError noRecord, invalidRequest, preconditionFailed, storageUnavailable, draining */
  async delete(tenant: string, expected: Expected): Promise<void> {
    this.administration.get('tenant', [tenant]);
    for (const kind of ['principal', 'policy', 'group', 'authority'] as const) {
      const { entries } = this.administration.page(kind, tenant, { limit: 1 });
      if (entries.length > 0)
        throw new ServiceError(
          'invalidRequest',
          `The tenant still has a ${kind}; delete those first, or disable the tenant`,
        );
    }
    await this.administration.remove('tenant', [tenant], expected);
  }
}
