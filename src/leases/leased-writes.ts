import { Injectable } from '@nestjs/common';
import type { CallHead } from '../access/call-head.js';
import { ServiceError } from '../errors/service-error.js';
import { ProblemError } from '../http/problem-error.js';
import { covers } from '../store/claimed-things.js';
import { leaseKey } from '../store/exclusive-claims.js';
import type { Fence } from '../store/shadow-store.js';
import { LeaseTable, type Lease } from './lease-table.js';

/**
 * Writes that depend on a lease. Whether it is the caller's, and about the thing, cannot change and is checked first;
 * whether it still lives is checked by etcd as it applies the write.
 */
@Injectable()
export class LeasedWrites {
  constructor(private readonly table: LeaseTable) {}

  /**
   * Writes under the lease that `Umbra-Lease` names, in the headers or the metadata.
   * @param things that are written
   * @throws ServiceError leaseEnded, leaseNotYours, leaseNotCovering, with nothing written; what `write` throws
   */
  async under<T>(
    { headers, principal }: CallHead,
    things: readonly string[],
    write: (fence: Fence) => Promise<T>,
  ): Promise<T> {
    const { tenant } = principal;
    const lease = await this.table.recall(tenant, String(headers['umbra-lease']));
    if (lease === null) throw new ServiceError('leaseEnded');
    if (lease.record.principal !== principal.id) throw new ServiceError('leaseNotYours');
    const other = things.find((thing) => !covers(lease.record, thing));
    if (other !== undefined) throw new ServiceError('leaseNotCovering', other);
    try {
      return await write({ claim: leaseKey(tenant, lease.id), revision: lease.token });
    } catch (error) {
      throw this.#named(error, tenant, lease);
    }
  }

  /** The store knows fences, and callers know leases. */
  #named(error: unknown, tenant: string, { id }: Lease): unknown {
    if (!(error instanceof ServiceError) || error.code !== 'fenced') return error;
    this.table.forget(tenant, id);
    const ended = new ServiceError('leaseEnded', '', error.clientToken);
    return error instanceof ProblemError ? new ProblemError(ended, error.members) : ended;
  }
}

/** Whether a request is to be carried out under a lease. No errors. */
export const hasLease = ({ headers }: Pick<CallHead, 'headers'>): boolean => headers['umbra-lease'] !== undefined;
