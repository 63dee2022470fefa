import type { Principal } from '../access/principal.js';
import type { Precondition, RequestOptions, ShadowKey } from '../store/shadow-store.js';

/** What every operation on one shadow needs from its door beside the request itself. */
export interface ShadowCall extends RequestOptions {
  readonly key: ShadowKey;
  readonly principal: Principal;
  /** A condition of the caller on the present state, for changes. */
  readonly precondition?: Precondition | undefined;
}
