import type { Authenticator } from './authenticator.js';
import type { Authorizer } from './authorizer.js';
import { ANONYMOUS } from './principal.js';

/** A node without authentication: everybody is the same, and may do everything. */
export const OPEN_ACCESS: Authenticator & Authorizer = {
  isRequired: false,
  generation: 0,
  signatures: null,
  authenticate: () => ANONYMOUS,
  allows: () => true,
  isLasting: () => true,
  hasEnded: () => false,
  mayEver: () => true,
  isActive: () => true,
  onChange: () => () => undefined,
};
