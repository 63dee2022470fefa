import { Inject, Injectable } from '@nestjs/common';
import { Administration, type Expected } from '../directory/administration.js';
import { recordOf, refuseOwn } from '../directory/record-of.js';
import { CLOCK, type Clock } from '../resilience/clock.js';

/** Members that only the service sets. */
const OWN = ['format', 'createdAtMs'];

const NEW = { title: '', policies: [] };

/** Creates or replaces groups. */
@Injectable()
export class UpdateGroup {
  constructor(
    private readonly administration: Administration,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param members of the body; those that are left out are those of a new group
   * @returns the revision of the record
   * @throws ServiceError invalidRequest, noRecord, preconditionFailed, storageUnavailable, storageFull, draining
   */
  async update(names: readonly [string, string], members: object, expected: Expected): Promise<number> {
    const [tenant] = names;
    this.administration.get('tenant', [tenant]);
    refuseOwn(members, OWN);
    const before = this.administration.find('group', names)?.record;
    const createdAtMs = before?.createdAtMs ?? this.clock.now();
    const record = recordOf('group', names, { ...NEW, ...members, createdAtMs });
    // One that is missing may have been a Deny, so its members could do nothing.
    for (const name of record.policies) this.administration.get('policy', [tenant, name]);
    return this.administration.put('group', names, record, expected);
  }
}
