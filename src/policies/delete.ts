import { Injectable } from '@nestjs/common';
import { Administration, type Expected } from '../directory/administration.js';
import { ServiceError } from '../errors/service-error.js';

/** Deletes policies that nobody has any more: one that is missing may have been a Deny, so it would refuse everything. */
@Injectable()
export class DeletePolicy {
  constructor(private readonly administration: Administration) {}

  /** @throws ServiceError noRecord, invalidRequest, preconditionFailed, storageUnavailable, draining */
  async delete(names: readonly [string, string], expected: Expected): Promise<void> {
    const [tenant, policy] = names;
    this.administration.get('policy', names);
    const { directory } = this.administration;
    for (const kind of ['principal', 'group', 'authority', 'tenant'] as const) {
      const holders = kind === 'tenant' ? [directory.get('tenant', tenant)] : directory.list(kind, tenant);
      for (const holder of holders) {
        if (!holder?.record.policies.includes(policy)) continue;
        throw new ServiceError('invalidRequest', `The ${kind} '${holder.names.at(-1) ?? ''}' still has this policy`);
      }
    }
    await this.administration.remove('policy', names, expected);
  }
}
