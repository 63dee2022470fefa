import { epochSeconds } from './metadata.js';
import type { ShadowState, Tombstone } from './shadow-document.js';
import { isTombstone } from './shadow-document.js';
import { ServiceError } from '../errors/service-error.js';

export interface DeleteContext {
  /** Epoch milliseconds. */
  readonly now: number;
  /** Name of the shadow in the error text: `displayName(thing, name)`. */
  readonly displayName: string;
}

/**
 * The tombstone of a deleted shadow. It keeps the version of the deleted document, not one more (PROTOCOL 1.3). A
 * version in the request has no effect: only updates can conflict (PROTOCOL 2.5).
 * @throws ServiceError notFound
 */
export function applyDelete(current: ShadowState | null, context: DeleteContext): Tombstone {
  if (current === null || isTombstone(current)) {
    throw new ServiceError('notFound', context.displayName);
  }
  return { deleted: true, version: current.version, deletedAt: epochSeconds(context.now) };
}
