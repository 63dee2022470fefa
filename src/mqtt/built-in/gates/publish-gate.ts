import type { Authorizer } from '../../../access/authorizer.js';
import type { IncomingRequest } from '../connections/incoming-request.js';

/** What clients may publish. A decision is remembered with the topic that a client repeats. */
export class PublishGate {
  constructor(private readonly authorizer: Authorizer) {}

  /** Whether the owner of the request may publish to its topic. */
  admits({ owner, route }: IncomingRequest): boolean {
    const { generation, isRequired } = this.authorizer;
    if (!isRequired || route.allowedAt === generation) return true;
    const { principal, clientId, address } = owner;
    if (!this.authorizer.allows(principal, 'iot:Publish', `topic/${route.topic}`, { clientId, address })) return false;
    if (this.authorizer.isLasting(principal)) route.allowedAt = generation;
    return true;
  }
}
