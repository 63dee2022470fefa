import { isTombstone, type JsonObject, type ShadowDocument } from '../../src/document/shadow-document.js';
import { StoredDocument } from '../../src/document/stored-document.js';
import { ServiceError } from '../../src/errors/service-error.js';
import type { Change, ShadowKey } from '../../src/store/shadow-store.js';

/** Small changes for tests of the storage: they know nothing of merging, only of versions. */

const versionOf = (current: { readonly version: number } | null): number => current?.version ?? 0;

/** Replaces `reported`. */
export function report(reported: JsonObject, clientToken = 'token'): Change {
  return (current) => ({
    state: { version: versionOf(current) + 1, reported, metadata: {} },
    change: { kind: 'update', patch: { reported }, clientToken, principal: 'test', at: 1_700_000_000_000 },
  });
}

/** Adds one to `reported.count`, so that an update that is lost or applied twice shows. */
export const increment: Change = (current) => {
  const count = current && !isTombstone(current) ? Number(current.reported?.count ?? 0) : 0;
  return report({ count: count + 1 })(current);
};

/** Refuses with versionConflict unless the version is the one given. */
export function expectVersion(version: number, change: Change): Change {
  return (current) => {
    if (versionOf(current) !== version) throw new ServiceError('versionConflict');
    return change(current);
  };
}

export const remove: Change = (current) => {
  if (!current || isTombstone(current)) throw new ServiceError('notFound', 'the shadow');
  return {
    state: { deleted: true, version: current.version, deletedAt: 1_700_000_000 },
    change: { kind: 'delete', principal: 'test', at: 1_700_000_000_000 },
  };
};

export const shadow = (thing: string, name: string | null = null, tenant = 'acme'): ShadowKey => ({
  tenant,
  thing,
  name,
});

/** The document of a record that must be one, as plain data. */
export function documentOf(record: { readonly state: unknown } | null): ShadowDocument {
  const state = record?.state as ShadowDocument | undefined;
  if (!state || 'deleted' in state) throw new Error('no document');
  return StoredDocument.of(state).toJSON();
}

/** Options with a deadline so many milliseconds from now. */
export const within = (ms = 5_000): { deadline: number } => ({ deadline: performance.now() + ms });
