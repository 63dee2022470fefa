import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../access/principal.js';
import { Administration, type Expected } from '../directory/administration.js';
import { withCurrent, withVersion } from '../directory/records/policy-record.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { parsePolicyDocument } from './policy-document.js';
import { PolicyFault } from './policy-fault.js';

/** Stores policies, of which the last five versions are kept. */
@Injectable()
export class UpdatePolicy {
  constructor(
    private readonly administration: Administration,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param document text of an AWS IoT policy document, as it was sent
   * @returns the revision of the record
   * @throws ServiceError invalidRequest with statement and member, preconditionFailed, storageUnavailable, storageFull,
   * draining
   */
  async update(
    caller: Principal,
    names: readonly [string, string],
    document: string,
    expected: Expected,
  ): Promise<number> {
    this.administration.get('tenant', [names[0]]);
    check(document);
    const before = this.administration.find('policy', names)?.record ?? null;
    const added = { document, createdAtMs: this.clock.now(), createdBy: caller.id };
    return this.administration.put('policy', names, withVersion(before, added), expected);
  }

  /** @throws ServiceError noRecord, invalidRequest when the version is not kept, preconditionFailed and so on */
  async rollback(names: readonly [string, string], version: number, expected: Expected): Promise<number> {
    const { record, revision } = this.administration.get('policy', names);
    return this.administration.put('policy', names, withCurrent(record, version), expected ?? revision);
  }
}

function check(document: string): void {
  try {
    parsePolicyDocument(document);
  } catch (error) {
    if (error instanceof PolicyFault) throw new ServiceError('invalidRequest', error.message);
    throw error;
  }
}
