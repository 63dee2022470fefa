import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { CONFIG, type Config } from '../config/config.js';
import { Describe } from '../http/openapi/describe.js';
import { queryOf } from '../http/query.js';
import { json } from '../http/send-json.js';
import { AuditPageQuery } from './audit-query.dto.js';
import type { AuditEntry } from './audit-ring.js';
import { AuditTrail } from './audit-trail.js';
import { getAudit, type AuditEventView } from './audit.openapi.js';

@Controller('v1/audit')
export class GetAuditController {
  constructor(
    private readonly trail: AuditTrail,
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
    @Inject(CONFIG) private readonly config: Pick<Config, 'nodeId'>,
  ) {}

  @Get()
  @Action('audit:get')
  @Describe(getAudit)
  get(
    @Query(queryOf(AuditPageQuery)) query: AuditPageQuery,
    @Req() { principal, ip: address }: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    // Callers that are not known may have been after any tenant.
    const hasUnknown = this.authorizer.allows(principal, 'umbra:AdminTenants', 'tenant/*', { address });
    const { entries, next } = this.trail.page({ ...query, tenant: principal.tenant, hasUnknown });
    void reply.header('cache-control', 'no-store');
    return json(reply, { events: entries.map(viewOf), next, node: this.config.nodeId });
  }
}

function viewOf(entry: AuditEntry): AuditEventView {
  const { timeMs, action, actor, tenant, target, address, outcome, code, count } = entry;
  return {
    time: new Date(timeMs).toISOString(),
    action,
    actor: actor && { id: actor.id, tenant: actor.tenant, credential: actor.credential ?? null },
    tenant,
    target,
    address,
    outcome,
    code,
    requestId: entry.requestId ?? null,
    clientId: entry.clientId ?? null,
    count,
  };
}
