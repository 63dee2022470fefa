import { Inject, Injectable, Optional } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { Presence } from '../presence/presence.js';
import type { PresenceOf } from '../presence/presence.openapi.js';

/** The member `presence` of a thing: that of the client whose identifier is the name of the thing, as AWS has it. */
@Injectable()
export class PresenceOfThings {
  constructor(
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
    /** Absent where presence is switched off. */
    @Optional() @Inject(Presence) private readonly presence?: Presence,
  ) {}

  /** Nothing when the caller may not know, or the node does not. No errors. */
  of(thing: string, { principal, ip: address }: FastifyRequest): { presence?: PresenceOf | null } {
    const { authorizer } = this;
    const presence = this.presence?.peek({ tenant: principal.tenant, clientId: thing });
    if (presence === undefined) return {};
    const may =
      !authorizer.isRequired || authorizer.allows(principal, 'umbra:GetPresence', `client/${thing}`, { address });
    return may ? { presence } : {};
  }
}
