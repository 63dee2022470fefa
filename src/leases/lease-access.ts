import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { ServiceError } from '../errors/service-error.js';
import { isPrefix, stem } from '../store/claimed-things.js';
import { noLease, type Lease } from './lease-table.js';

/**
 * Stands for all names behind a prefix. It is longer than the resource of a policy may be (2,048 UTF-16 units), so no
 * number of `?` fills it, and of characters that nobody writes in one: only a `*` does.
 */
const ANY_NAME = '\u0000'.repeat(2_049);

/** Who asks, and from which address. */
export type LeaseAsker = Pick<FastifyRequest, 'principal' | 'ip'>;

/** Who may take and see which leases. A prefix is asked about as it is written, `thing/lamp-*`, and must be all allowed. */
@Injectable()
export class LeaseAccess {
  constructor(@Inject(AUTHORIZER) private readonly authorizer: Authorizer) {}

  /** @throws ServiceError notAllowed, for the first thing that the caller may not lease */
  checkTaking(request: LeaseAsker, things: readonly string[]): void {
    const refused = things.find((each) => !this.#mayLease(request, each));
    if (refused !== undefined) throw new ServiceError('notAllowed', `umbra:Lease on thing/${refused}`);
  }

  /** Whether the caller holds the lease, or may lease all that it is about. No errors. */
  maySee(request: LeaseAsker, { record }: Lease): boolean {
    return record.principal === request.principal.id || record.things.every((each) => this.#mayLease(request, each));
  }

  /** @throws ServiceError leaseNotYours; noRecord when the caller may not see it either */
  checkHeld(request: LeaseAsker, lease: Lease): void {
    if (lease.record.principal === request.principal.id) return;
    throw this.maySee(request, lease) ? new ServiceError('leaseNotYours') : noLease();
  }

  #mayLease({ principal, ip: address }: LeaseAsker, entry: string): boolean {
    const names = isPrefix(entry) ? [entry, stem(entry) + ANY_NAME] : [entry];
    return names.every((name) => this.authorizer.allows(principal, 'umbra:Lease', `thing/${name}`, { address }));
  }
}
