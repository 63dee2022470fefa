import type { ActionName } from './action.js';

/** Actions as policies name them: those of AWS IoT, and with the prefix `umbra:` those that AWS does not have. */
export type PolicyAction =
  | 'iot:Connect'
  | 'iot:Publish'
  | 'iot:Subscribe'
  | 'iot:Receive'
  | 'iot:GetThingShadow'
  | 'iot:UpdateThingShadow'
  | 'iot:DeleteThingShadow'
  | 'iot:ListNamedShadowsForThing'
  | 'umbra:Watch'
  | 'umbra:GetThing'
  | 'umbra:ListThings'
  | 'umbra:DeleteThing'
  | 'umbra:Lease'
  | 'umbra:GetPresence'
  /** Read the records of access of a tenant. */
  | 'umbra:AdminRead'
  /** Change them. */
  | 'umbra:AdminWrite'
  /** Tenants themselves. */
  | 'umbra:AdminTenants'
  /** How nodes are, and their runtime configuration. */
  | 'umbra:AdminRuntime';

/** What policies are asked for a route; null: nothing, every caller who is known may. */
export const POLICY_ACTIONS: Readonly<Record<Exclude<ActionName, 'public'>, PolicyAction | null>> = {
  'shadow:get': 'iot:GetThingShadow',
  'shadow:update': 'iot:UpdateThingShadow',
  'shadow:delete': 'iot:DeleteThingShadow',
  'shadow:list': 'iot:ListNamedShadowsForThing',
  'shadow:watch': 'umbra:Watch',
  'thing:get': 'umbra:GetThing',
  'thing:list': 'umbra:ListThings',
  'thing:delete': 'umbra:DeleteThing',
  'lease:get': 'umbra:Lease',
  'lease:list': 'umbra:Lease',
  'lease:update': 'umbra:Lease',
  'lease:delete': 'umbra:Lease',
  'presence:get': 'umbra:GetPresence',
  'presence:watch': 'umbra:GetPresence',
  // Each operation is asked for what it does, on its own shadow.
  'transaction:update': null,
  // So is each line of a bulk request.
  'bulk:update': null,
  'principal:get': 'umbra:AdminRead',
  'principal:list': 'umbra:AdminRead',
  'principal:update': 'umbra:AdminWrite',
  'principal:delete': 'umbra:AdminWrite',
  'group:get': 'umbra:AdminRead',
  'group:list': 'umbra:AdminRead',
  'group:update': 'umbra:AdminWrite',
  'group:delete': 'umbra:AdminWrite',
  'key:list': 'umbra:AdminRead',
  'key:update': 'umbra:AdminWrite',
  'key:delete': 'umbra:AdminWrite',
  'policy:get': 'umbra:AdminRead',
  'policy:list': 'umbra:AdminRead',
  'policy:update': 'umbra:AdminWrite',
  'policy:delete': 'umbra:AdminWrite',
  'policy:rollback': 'umbra:AdminWrite',
  'policy:explain': 'umbra:AdminRead',
  'authority:get': 'umbra:AdminRead',
  'authority:list': 'umbra:AdminRead',
  'authority:update': 'umbra:AdminWrite',
  'authority:delete': 'umbra:AdminWrite',
  'issuer:get': 'umbra:AdminRead',
  'issuer:list': 'umbra:AdminRead',
  'issuer:update': 'umbra:AdminWrite',
  'issuer:delete': 'umbra:AdminWrite',
  'revocation:list': 'umbra:AdminRead',
  'revocation:update': 'umbra:AdminWrite',
  'revocation:delete': 'umbra:AdminWrite',
  'tenant:get': 'umbra:AdminRead',
  'tenant:list': 'umbra:AdminTenants',
  'tenant:update': 'umbra:AdminTenants',
  'tenant:delete': 'umbra:AdminTenants',
  'audit:get': 'umbra:AdminRead',
  'token-policy:get': null,
  'token-policy:update': 'umbra:AdminTenants',
  'token-policy:delete': 'umbra:AdminTenants',
  'route-list:list': 'umbra:AdminTenants',
  'route-list:update': 'umbra:AdminTenants',
  'route-list:delete': 'umbra:AdminTenants',
  'health:status': 'umbra:AdminRuntime',
  'node:list': 'umbra:AdminRuntime',
  'node:shed': 'umbra:AdminRuntime',
  'runtime:get': 'umbra:AdminRuntime',
  'runtime:update': 'umbra:AdminRuntime',
  'runtime:promote': 'umbra:AdminRuntime',
  'runtime:rollback': 'umbra:AdminRuntime',
  'sink:get': 'umbra:AdminRead',
  'sink:list': 'umbra:AdminRead',
  'sink:update': 'umbra:AdminWrite',
  'sink:delete': 'umbra:AdminWrite',
  'sink:test': 'umbra:AdminWrite',
  'dead-letter:list': 'umbra:AdminRead',
  'dead-letter:delete': 'umbra:AdminWrite',
  'dead-letter:replay': 'umbra:AdminWrite',
  'auth:get': null,
};
