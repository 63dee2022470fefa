import type { SecretKeyMaker } from '../access/secret-key-maker.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import type { AccessWriter } from '../directory/access-writer.js';
import { recordOf } from '../directory/record-of.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';

export const FIRST_TENANT = 'default';
const NAME = 'admin';

/** Name and key of a new administrator. The key is kept nowhere. */
export interface FirstAdministrator {
  readonly principal: string;
  readonly key: string;
}

/**
 * Makes the first tenant and its administrator where nobody has been made yet: one commit, so that of several nodes one
 * makes it.
 * @param directory whose first state is there
 * @returns null: there is somebody already
 * @throws ServiceError storageUnavailable, storageFull, draining
 */
export async function firstAdministrator(
  directory: AccessDirectory,
  writer: AccessWriter,
  keys: SecretKeyMaker,
  clock: Clock,
): Promise<FirstAdministrator | null> {
  if (directory.count('tenant') > 0 || directory.count('principal') > 0) return null;
  const createdAtMs = clock.now();
  const { id, text, digest } = keys.make();
  const key = { tenant: FIRST_TENANT, principal: NAME, proof: { kind: 'secret', digest }, disabled: false };
  const none = { title: '', disabled: false, policies: [], createdAtMs };
  const names = [FIRST_TENANT, NAME];
  const person = { kind: 'person', disabled: false, thing: null, thingType: null, attributes: {}, groups: [] };
  try {
    await writer.commit([
      {
        kind: 'tenant',
        names: [FIRST_TENANT],
        record: recordOf('tenant', [FIRST_TENANT], { ...none, account: null, limits: {} }),
        expected: null,
      },
      {
        kind: 'principal',
        names,
        record: recordOf('principal', names, {
          ...person,
          roles: ['admin'],
          policies: [],
          passwordHash: null,
          createdAtMs,
        }),
        expected: null,
      },
      {
        kind: 'key',
        names: [id],
        record: recordOf('key', [id], { ...key, createdAtMs, expiresAtMs: null, title: 'made at the first start' }),
        expected: null,
      },
    ]);
  } catch (error) {
    // Another node was faster.
    if (error instanceof ServiceError && error.code === 'preconditionFailed') return null;
    throw error;
  }
  return { principal: NAME, key: text };
}
