import type { Principal } from '../access/principal.js';
import type { LiveTokenPolicy } from '../auth/tokens/live-token-policy.js';
import type { TokenPolicyView } from './token-policy.openapi.js';

/** The rules of a caller's tenant. @param yaml null: there is no file, or the caller may not see it. No errors. */
export function tokenPolicyView(policy: LiveTokenPolicy, { tenant }: Principal, yaml: string | null): TokenPolicyView {
  return { tenant, ...policy.rules(tenant), yaml };
}
