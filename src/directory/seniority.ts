import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { ServiceError } from '../errors/service-error.js';
import { ACCESS_DIRECTORY, type AccessDirectory } from './access-directory.js';

/** The role that gives rights beyond a tenant. */
const ALL_TENANTS = 'admin';

/**
 * Keeps those who administer one tenant from becoming, or shutting out, one who administers all: such principals live in
 * a tenant like others.
 */
@Injectable()
export class Seniority {
  constructor(
    @Inject(ACCESS_DIRECTORY) private readonly directory: AccessDirectory,
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
  ) {}

  /**
   * To be asked before a principal or one of its keys is changed.
   * @param names tenant and id of the principal, whether or not it is there
   * @throws ServiceError notAllowed
   */
  check(caller: FastifyRequest, names: readonly [string, string]): void {
    this.checkRoles(caller, this.directory.get('principal', ...names)?.record.roles ?? []);
  }

  /**
   * To be asked before a principal gets roles.
   * @throws ServiceError notAllowed
   */
  checkRoles({ principal, ip: address }: FastifyRequest, roles: readonly string[]): void {
    if (!roles.includes(ALL_TENANTS)) return;
    if (this.authorizer.allows(principal, 'umbra:AdminTenants', 'tenant/*', { address })) return;
    throw new ServiceError('notAllowed', `to give, change or use the role ${ALL_TENANTS}`);
  }
}
