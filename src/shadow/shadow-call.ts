import type { Principal } from '../access/principal.js';
import type { Precondition, RequestOptions, ShadowKey } from '../store/shadow-store.js';

/** The arguments that every operation on one shadow gets from its door, apart from the request. */
export interface ShadowCall extends RequestOptions {
  readonly key: ShadowKey;
  readonly principal: Principal;
  /** A condition of the caller on the present state, for changes. */
  readonly precondition?: Precondition | undefined;
}
