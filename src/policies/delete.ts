import { Injectable } from '@nestjs/common';
import { Administration, type Expected } from '../directory/administration.js';
import { ServiceError } from '../errors/service-error.js';

/** Records that are looked at for one that has the policy: a tenant may have a million. */
const MAX_LOOKS = 10_000;

/** Deletes policies that nobody has any more: one that is missing may have been a Deny, so it would refuse everything. */
@Injectable()
export class DeletePolicy {
  constructor(private readonly administration: Administration) {}

  /** @throws ServiceError noRecord, invalidRequest, preconditionFailed, storageUnavailable, draining */
  async delete(names: readonly [string, string], expected: Expected): Promise<void> {
    const [tenant, policy] = names;
    this.administration.get('policy', names);
    const { directory } = this.administration;
    const holders = directory.holdersOf(tenant, policy);
    if (holders > 0) throw new ServiceError('invalidRequest', this.#advice(names, holders));
    await this.administration.remove('policy', names, expected);
  }

  /** Names one of those who have it. */
  #advice([tenant, policy]: readonly [string, string], holders: number): string {
    const { directory } = this.administration;
    const more = holders > 1 ? `, and ${holders - 1} more do` : '';
    let looks = 0;
    for (const kind of ['tenant', 'group', 'authority', 'principal'] as const) {
      const found = kind === 'tenant' ? [directory.get('tenant', tenant)] : directory.list(kind, tenant);
      for (const holder of found) {
        if (holder?.record.policies.includes(policy))
          return `The ${kind} '${holder.names.at(-1) ?? ''}' still has this policy${more}`;
        if (++looks === MAX_LOOKS) return `${holders} principals, groups or authorities still have this policy`;
      }
    }
    return `${holders} principals, groups or authorities still have this policy`;
  }
}
