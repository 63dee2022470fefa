import { SetMetadata, type CustomDecorator } from '@nestjs/common';

/** What a policy can allow. Every route and every topic declares one; test/architecture/routes.spec.ts sees to it. */
export type ActionName =
  | 'shadow:get'
  | 'shadow:update'
  | 'shadow:delete'
  | 'shadow:list'
  | 'shadow:watch'
  | 'thing:get'
  | 'thing:list'
  | 'thing:delete'
  /** For everybody, signed in or not. */
  | 'public';

/** Metadata key of the declared action. */
export const ACTION = 'umbra:action';

/** Declares on a handler what its caller must be allowed to do. */
export const Action = (name: ActionName): CustomDecorator => SetMetadata(ACTION, name);
