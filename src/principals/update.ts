import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ACCESS_WRITER, type AccessWriter } from '../directory/access-writer.js';
import { Administration, type Expected } from '../directory/administration.js';
import { recordOf, refuseOwn } from '../directory/record-of.js';
import type { PrincipalRecord } from '../directory/records/principal-record.js';
import { Seniority } from '../directory/seniority.js';
import { ServiceError } from '../errors/service-error.js';
import { BUILT_IN_ROLES } from '../access/roles.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { deleteKeys } from './keys-of-principal.js';

/** Members that only the service sets. */
const OWN = ['format', 'passwordHash', 'createdAtMs'];

const NEW = {
  kind: 'device',
  disabled: false,
  thing: null,
  thingType: null,
  attributes: {},
  roles: [],
  policies: [],
  groups: [],
};

/** Creates or replaces principals. */
@Injectable()
export class UpdatePrincipal {
  constructor(
    private readonly administration: Administration,
    private readonly seniority: Seniority,
    @Inject(ACCESS_WRITER) private readonly writer: AccessWriter,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param members of the body; those that are left out are those of a new principal
   * @returns the revision of the record
   * @throws ServiceError invalidRequest, notAllowed, noRecord, preconditionFailed, storageUnavailable, storageFull, draining
   */
  async update(
    caller: FastifyRequest,
    names: readonly [string, string],
    members: object,
    expected: Expected,
  ): Promise<number> {
    const [tenant, id] = names;
    this.administration.get('tenant', [tenant]);
    this.seniority.check(caller, names);
    refuseOwn(members, OWN);
    const before = this.administration.find('principal', names)?.record;
    const kept = { passwordHash: before?.passwordHash ?? null, createdAtMs: before?.createdAtMs ?? this.clock.now() };
    const record = recordOf('principal', names, { ...NEW, ...members, ...kept });
    if (id.includes('~') && record.roles.includes('admin'))
      throw new ServiceError('invalidRequest', 'A principal of an issuer cannot have the role admin');
    this.seniority.checkRoles(caller, record.roles);
    this.#check(tenant, record);
    if (before === undefined) await this.#forgetKeys(names);
    return this.administration.put('principal', names, record, expected);
  }

  /** One that was made while an earlier principal of this name was being deleted is not for the new one. */
  async #forgetKeys(names: readonly [string, string]): Promise<void> {
    const left = await deleteKeys(this.administration.directory, this.writer, names);
    if (left.length > 0) await this.writer.commit(left);
  }

  #check(tenant: string, { roles, policies, groups }: PrincipalRecord): void {
    const unknown = roles.find((role) => !ROLES.has(role));
    if (unknown !== undefined)
      throw new ServiceError('invalidRequest', `There is no role ${unknown}; there are ${[...ROLES].join(', ')}`);
    for (const name of policies) this.administration.get('policy', [tenant, name]);
    for (const name of groups) this.administration.get('group', [tenant, name]);
  }
}

const ROLES: ReadonlySet<string> = new Set(BUILT_IN_ROLES);
