import type { FastifyRequest } from 'fastify';
import type { ActionName } from '../access/action.js';
import { POLICY_ACTIONS, type PolicyAction } from '../access/policy-action.js';
import { targetOf, thingOf } from './caller.js';
import { clientIdOf, tenantOf } from './record-request.js';

export type Asked = Exclude<ActionName, 'public'>;

/**
 * What policies are asked about. A stream of everything is asked about nothing, and brings what policies allow; so is a
 * lease, whose route asks about each of its things.
 */
type About = 'all-tenants' | 'tenant' | 'things' | 'thing' | 'shadow' | 'client' | 'nothing';

/** What the caller of a route must be allowed to do. It is made once a route, not for each request. */
export interface RouteAccess {
  readonly action: Asked;
  /** null: every caller who is known may. */
  readonly policyAction: PolicyAction | null;
  readonly about: About;
  readonly isStream: boolean;
}

/** What is of no single tenant. */
const OF_ALL_TENANTS = /^(?:token-policy|route-list|runtime|health|node):/;

/** @param url of the route, with the names of its parameters. No errors. */
export function routeAccess(action: Asked, url: string): RouteAccess {
  const policyAction = POLICY_ACTIONS[action];
  return { action, policyAction, about: aboutOf(action, policyAction, url), isStream: action.endsWith(':watch') };
}

function aboutOf(action: Asked, policyAction: PolicyAction | null, url: string): About {
  if (action === 'tenant:list' || OF_ALL_TENANTS.test(action)) return 'all-tenants';
  if (policyAction?.startsWith('umbra:Admin')) return 'tenant';
  if (action.startsWith('lease:') || action === 'presence:watch') return 'nothing';
  if (action.startsWith('presence:')) return 'client';
  if (!url.includes('/:thing')) return action === 'shadow:watch' ? 'nothing' : 'things';
  if (action.startsWith('thing:') || action === 'shadow:list') return 'thing';
  return action === 'shadow:watch' && !url.includes('/shadow/') ? 'nothing' : 'shadow';
}

/**
 * The resource that policies are asked about. Null: a stream of everything.
 * @throws ServiceError invalidThingName, invalidShadowName, invalidRequest
 */
export function resourceOf(about: About, request: FastifyRequest): string | null {
  if (about === 'shadow') {
    const { thing, name } = targetOf(request).key;
    return name === null ? `thing/${thing}` : `thing/${thing}/${name}`;
  }
  if (about === 'all-tenants') return 'tenant/*';
  if (about === 'tenant') return `tenant/${tenantOf(request)}`;
  if (about === 'client') return `client/${clientIdOf(request)}`;
  if (about === 'things') return 'thing/*';
  return about === 'thing' ? `thing/${thingOf(request)}` : null;
}
