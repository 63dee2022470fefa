import { Inject, Injectable } from '@nestjs/common';
import { Administration } from '../directory/administration.js';
import { ServiceError } from '../errors/service-error.js';
import type { Explained } from './policies.openapi.js';
import { POLICY_AUTHORIZER, type PolicyAuthorizer } from './policy-authorizer.js';

/** Says why a principal may do something, or not. */
@Injectable()
export class ExplainPolicies {
  constructor(
    private readonly administration: Administration,
    @Inject(POLICY_AUTHORIZER) private readonly authorizer: PolicyAuthorizer,
  ) {}

  /**
   * @param question `principal`, `action`, `resource`, and perhaps `clientId` and `address`
   * @throws ServiceError invalidRequest, noRecord
   */
  explain(tenant: string, question: Readonly<Record<string, unknown>>): Explained {
    const asked = (member: string): string => textOf(question[member], member);
    const id = asked('principal');
    const { record } = this.administration.get('principal', [tenant, id]);
    const principal = { id, tenant, ...(record.thing !== null && { thing: record.thing }) };
    const clientId = question['clientId'] === undefined ? undefined : asked('clientId');
    const address = question['address'] === undefined ? undefined : asked('address');
    return this.authorizer.explain(principal, asked('action'), asked('resource'), { clientId, address });
  }
}

function textOf(value: unknown, member: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= 1024) return value;
  throw new ServiceError('invalidRequest', `${member} must be a text of 1 to 1024 characters`);
}
