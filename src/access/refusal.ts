import { ServiceError } from '../errors/service-error.js';
import type { Authorizer, Surroundings } from './authorizer.js';
import type { PolicyAction } from './policy-action.js';
import type { Principal } from './principal.js';
import { covers } from './scopes.js';

/** What a caller asks to be allowed. */
export interface Asked {
  readonly action: PolicyAction;
  /** Such as `thing/lamp/settings`. */
  readonly resource: string;
  readonly surroundings?: Surroundings;
}

/** Why policies or scopes do not let a principal do something; null: they do. No errors. */
export function refusalOf(authorizer: Authorizer, principal: Principal, asked: Asked): ServiceError | null {
  const { action, resource, surroundings } = asked;
  if (authorizer.allows(principal, action, resource, surroundings)) return null;
  return notAllowed(principal, action, resource);
}

/** The error of what is not allowed. No errors. */
export function notAllowed(principal: Principal, action: PolicyAction, resource: string): ServiceError {
  if (!covers(principal.scopes, action)) return new ServiceError('scopeTooSmall', action);
  return new ServiceError('notAllowed', `${action} on ${resource}`);
}
