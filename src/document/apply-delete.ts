import { epochSeconds } from './metadata.js';
import type { ShadowState, Tombstone } from './shadow-document.js';
import { isTombstone } from './shadow-document.js';
import { ServiceError } from '../errors/service-error.js';

export interface DeleteContext {
  /** Epoch milliseconds. */
  readonly now: number;
  /** What the refusal calls the shadow: `displayName(thing, name)`. */
  readonly displayName: string;
}

/**
 * What stays of a deleted shadow: the version of the deleted document, not one more (PROTOCOL 1.3). A version in the
 * request is no matter: conflicts exist for updates only (PROTOCOL 2.5).
 * @throws ServiceError notFound
 */
export function applyDelete(current: ShadowState | null, context: DeleteContext): Tombstone {
  if (current === null || isTombstone(current)) {
    throw new ServiceError('notFound', context.displayName);
  }
  return { deleted: true, version: current.version, deletedAt: epochSeconds(context.now) };
}
