import type { Principal } from './principal.js';

/** Who asks, and what is said beside the request itself: the headers of HTTP, or the metadata of gRPC. */
export interface CallHead {
  readonly principal: Principal;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}
