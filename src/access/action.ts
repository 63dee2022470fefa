import { SetMetadata, type CustomDecorator } from '@nestjs/common';

/** Actions that a policy can allow. Every route and topic declares one, held by test/architecture/routes.spec.ts. */
export type ActionName =
  | 'shadow:get'
  | 'shadow:update'
  | 'shadow:delete'
  | 'shadow:list'
  | 'shadow:watch'
  | 'thing:get'
  | 'thing:list'
  | 'thing:delete'
  | 'lease:get'
  | 'lease:list'
  | 'lease:update'
  | 'lease:delete'
  | 'principal:get'
  | 'principal:list'
  | 'principal:update'
  | 'principal:delete'
  | 'group:get'
  | 'group:list'
  | 'group:update'
  | 'group:delete'
  | 'key:list'
  | 'key:update'
  | 'key:delete'
  | 'policy:get'
  | 'policy:list'
  | 'policy:update'
  | 'policy:delete'
  | 'policy:rollback'
  | 'policy:explain'
  | 'authority:get'
  | 'authority:list'
  | 'authority:update'
  | 'authority:delete'
  | 'issuer:get'
  | 'issuer:list'
  | 'issuer:update'
  | 'issuer:delete'
  | 'revocation:list'
  | 'revocation:update'
  | 'revocation:delete'
  | 'tenant:get'
  | 'tenant:list'
  | 'tenant:update'
  | 'tenant:delete'
  | 'audit:get'
  | 'token-policy:get'
  | 'token-policy:update'
  | 'token-policy:delete'
  | 'route-list:list'
  | 'route-list:update'
  | 'route-list:delete'
  | 'auth:get'
  /** Allowed for every caller, with or without authentication. */
  | 'public';

/** Metadata key of the declared action. */
export const ACTION = 'umbra:action';

/** Declares the action that the caller of a handler must be allowed to perform. */
export const Action = (name: ActionName): CustomDecorator => SetMetadata(ACTION, name);
