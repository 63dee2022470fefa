import { Injectable } from '@nestjs/common';
import { Administration, type Expected } from '../directory/administration.js';
import { ServiceError } from '../errors/service-error.js';

/** Deletes groups that have no members: those of a group that is gone may do nothing, since it may have denied something. */
@Injectable()
export class DeleteGroup {
  constructor(private readonly administration: Administration) {}

  /** @throws ServiceError noRecord, invalidRequest, preconditionFailed, storageUnavailable, draining */
  async delete(names: readonly [string, string], expected: Expected): Promise<void> {
    const [tenant, group] = names;
    for (const { names: member, record } of this.administration.directory.list('principal', tenant)) {
      if (!record.groups.includes(group)) continue;
      throw new ServiceError(
        'invalidRequest',
        `The group still has members, such as ${member.at(-1) ?? ''}; take it out of their groups first`,
      );
    }
    await this.administration.remove('group', names, expected);
  }
}
