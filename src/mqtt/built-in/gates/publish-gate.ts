import type { Authorizer } from '../../../access/authorizer.js';
import type { IncomingRequest } from '../connections/incoming-request.js';

/** What clients may publish. A decision is remembered with the topic that a client repeats. */
export class PublishGate {
  constructor(private readonly authorizer: Authorizer) {}

  /** Whether the owner of the request may publish to its topic. */
  admits({ owner, route }: IncomingRequest): boolean {
    const { authorizer } = this;
    const { principal, clientId, address } = owner;
    if (!authorizer.isRequired || route.publishing.allows(authorizer, principal)) return true;
    if (!authorizer.allows(principal, 'iot:Publish', `topic/${route.topic}`, { clientId, address })) return false;
    route.publishing.keep(authorizer, principal);
    return true;
  }
}
