import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { EXTERNAL_ISSUERS, type ExternalIssuers } from '../auth/external-issuers.js';
import { Administration, type Expected } from '../directory/administration.js';
import { recordOf, refuseOwn } from '../directory/record-of.js';
import type { IssuerRecord } from '../directory/records/issuer-record.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';

/** Members that only the service sets. */
const OWN = ['format', 'registeredAtMs'];
/** Issuers of one tenant: each is asked for its keys every few minutes. */
const MAX_OF_TENANT = 20;

const NEW = {
  algorithms: ['RS256', 'ES256'],
  principalFrom: 'sub',
  rolesFrom: null,
  roles: {},
  rolesForAll: [],
  disabled: false,
};

/** Registers issuers, and changes what is trusted to them. */
@Injectable()
export class UpdateIssuer {
  constructor(
    private readonly administration: Administration,
    @Inject(EXTERNAL_ISSUERS) private readonly external: ExternalIssuers,
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * @param names tenant, and the name of the issuer
   * @param members of the body; those that are left out are those of a new issuer
   * @returns the revision of the record
   * @throws ServiceError invalidRequest, notAllowed, noRecord, preconditionFailed, storageUnavailable, storageFull, draining
   */
  async update(
    { principal, ip: address }: FastifyRequest,
    names: readonly [string, string],
    members: object,
    expected: Expected,
  ): Promise<number> {
    const [tenant] = names;
    this.administration.get('tenant', [tenant]);
    refuseOwn(members, OWN);
    const before = this.administration.find('issuer', names)?.record;
    const registeredAtMs = before?.registeredAtMs ?? this.clock.now();
    const record = recordOf('issuer', names, { ...NEW, ...members, registeredAtMs });
    this.#check(record);
    this.#checkOthers(record);
    // Who administers one tenant must not reach what belongs to the node or to another tenant.
    const what = this.#beyondTenant(record);
    if (what !== null && !this.authorizer.allows(principal, 'umbra:AdminTenants', 'tenant/*', { address }))
      throw new ServiceError('notAllowed', `${what}: that needs umbra:AdminTenants`);
    return this.administration.put('issuer', names, record, expected);
  }

  /** What makes no issuer, whoever registers it. */
  #check({ url, audiences, algorithms, roles, rolesFrom }: IssuerRecord): void {
    const fault = this.external.faultOf(url);
    if (fault !== null) throw new ServiceError('invalidRequest', fault);
    if (audiences.length === 0)
      throw new ServiceError('invalidRequest', 'audiences must name what tokens for this service have in aud');
    if (algorithms.length === 0)
      throw new ServiceError('invalidRequest', 'algorithms must name those that the issuer signs with');
    if (roles.size > 0 && rolesFrom === null)
      throw new ServiceError('invalidRequest', 'roles needs rolesFrom, the claim whose values it lists');
  }

  /** A token of one URL and audience has to mean one registration. */
  #checkOthers({ tenant, name, url, audiences }: IssuerRecord): void {
    const { directory } = this.administration;
    let ofTenant = 1;
    for (const { record } of directory.list('issuer')) {
      const isOther = record.tenant !== tenant || record.name !== name;
      if (isOther && record.tenant === tenant) ofTenant++;
      const shared = isOther && record.url === url && audiences.find((each) => record.audiences.includes(each));
      if (typeof shared === 'string')
        throw new ServiceError('invalidRequest', `${url} is registered for the audience ${shared} already`);
    }
    if (ofTenant > MAX_OF_TENANT)
      throw new ServiceError('invalidRequest', `A tenant has ${MAX_OF_TENANT} issuers at most; delete some first`);
  }

  /** Null: nothing that a tenant could not have alone. */
  #beyondTenant({ tenant, url }: IssuerRecord): string | null {
    if (url.startsWith('http:')) return 'to register an issuer on the machine of the node';
    const { directory } = this.administration;
    for (const { record } of directory.list('issuer'))
      if (record.url === url && record.tenant !== tenant) return 'to register an issuer that another tenant has';
    return null;
  }
}
