import { Controller, Inject, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { recordOf, refuseOwn } from '../directory/record-of.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, objectOf, tagged, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { whatIsIn } from './delete.js';
import { tenantView } from './tenant-view.js';
import { LIMIT_NAMES, updateTenant } from './tenants.openapi.js';

/** Members that only the service sets. */
const OWN = ['format', 'createdAtMs'];

const NEW = { title: '', disabled: false, account: null, policies: [], limits: {} };

@Controller('v1/tenants')
export class UpdateTenantController {
  constructor(
    private readonly administration: Administration,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Put(':tenant')
  @Action('tenant:update')
  @Describe(updateTenant)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const names = [tenantOf(request)];
    const members = objectOf(request);
    refuseOwn(members, OWN);
    const before = this.administration.find('tenant', names);
    const expected = expectedOf(request, before?.revision ?? null);
    const createdAtMs = before?.record.createdAtMs ?? this.clock.now();
    const record = recordOf('tenant', names, { ...NEW, ...members, createdAtMs });
    checkLimits(record.limits.keys());
    const inherited = before === null ? whatIsIn(this.administration.directory, names[0] ?? '') : null;
    // Made while an earlier tenant of this name was being deleted.
    if (inherited !== null)
      throw new ServiceError('invalidRequest', `There is still a ${inherited} of an earlier tenant; delete it first`);
    // One that is missing may have been a Deny, so it would refuse everything.
    for (const policy of record.policies) this.administration.get('policy', [...names, policy]);
    const revision = await this.administration.put('tenant', names, record, expected);
    void reply.code(before === null ? 201 : 200);
    tagged(reply, revision);
    return json(reply, tenantView(this.administration.get('tenant', names)));
  }
}

/** @throws ServiceError invalidRequest: one that nobody would count */
function checkLimits(names: Iterable<string>): void {
  const known = LIMIT_NAMES;
  for (const name of names) {
    if (!known.includes(name))
      throw new ServiceError('invalidRequest', `There is no limit ${name}; limits are ${known.join(', ')}`);
  }
}
