import type { ShadowState } from '../document/shadow-document.js';
import type { Change, Changed, RequestOptions, ShadowKey, ShadowRecord, ShadowStore } from './shadow-store.js';

/**
 * One change of one shadow on its way from a door to the store and back: one object that is settled by a plain call,
 * since a chain of promises costs more than the change (ADR 0020). The store calls exactly one of `committed` and
 * `failed`, once, perhaps before `submit` returns. Neither may throw.
 */
export interface Operation extends RequestOptions {
  readonly key: ShadowKey;
  /** As Change. */
  change(current: ShadowState | null): Changed;
  /** The change is committed. */
  committed(record: ShadowRecord): void;
  /** @param error as ShadowStore.update throws it */
  failed(error: unknown): void;
}

/** Does the work of `update` for a store that submits operations. @throws ServiceError as ShadowStore.update */
export function updateBySubmit(
  store: Pick<ShadowStore, 'submit'>,
  key: ShadowKey,
  change: Change,
  { deadline, signal, fence, trace }: RequestOptions,
): Promise<ShadowRecord> {
  // One by one: the members of a request may be accessors, which a spread leaves out.
  return new Promise((committed, failed) =>
    store.submit({ deadline, signal, fence, trace, key, change, committed, failed }),
  );
}

/** Does the work of `submit` for a store that has only `update`. No errors. */
export function submitByUpdate(store: Pick<ShadowStore, 'update'>, operation: Operation): void {
  store
    .update(operation.key, (current) => operation.change(current), operation)
    .then(
      (record) => operation.committed(record),
      (error: unknown) => operation.failed(error),
    );
}
