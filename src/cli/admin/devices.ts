import { adviserFor, type Advise } from '../advise.js';
import { CliError, EXIT } from '../exit-code.js';
import { recordsOf, type Records } from '../records.js';
import type { Run } from '../session.js';
import { makeKey, revokeAll, withPlace, type Place } from './keys.js';
import { createPrincipal, otherKind, principalPath, rowsOf, type Principal } from './principals.js';
import { fingerprintOf, revocationPath } from './revocations.js';

interface Given {
  readonly tenant?: string;
  readonly keyOut?: string;
  readonly force?: true;
  readonly certificate?: string;
  readonly reason?: string;
  readonly deleted?: true;
  readonly thing?: string;
  readonly role?: readonly string[];
}

/** `device create`: its thing has its name, unless it is given. @throws CliError, UmbraError */
export const create: Run = async (session, [id = ''], options) => {
  const { tenant, keyOut, force, thing = id, role = ['device'] } = options as Given;
  const records = await recordsOf(session, tenant);
  const made = () => createPrincipal(records, id, { ...options, kind: 'device', thing, role });
  if (keyOut === undefined) {
    const principal = await made();
    return session.out.fields(principal, rowsOf(principal));
  }
  const place = { out: keyOut, force };
  const advise = adviserFor(session.options, tenant);
  await withPlace(place, async (reserved) => {
    const principal = await made();
    const { key, file } = await makeKey({ session, records, advise }, id, {}, reserved).catch(
      async (error: unknown) => {
        await session.warn('half-done', withoutKey(advise, id, place));
        throw error;
      },
    );
    await session.out.fields({ ...principal, key, file }, [...rowsOf(principal), ['key', key], ['file', file]]);
  });
};

/** What is told of a device whose key could not be made. No errors. */
export const withoutKey = (advise: Advise, id: string, place: Place): string =>
  `the device ${id} is created, but its key is not in ${place.out}: ` +
  `go on with \`${keyCommand(advise, id, place)}\`, or take it back with \`${advise('device', 'delete', id)}\``;

/** The command that makes a key for a device that is there. No errors. */
export const keyCommand = (advise: Advise, id: string, { out, force }: Place): string =>
  advise('device', 'key', id, '--out', out, ...(force ? ['--force'] : []));

/** @returns null: there is none. @throws CliError if it is a person or a service; UmbraError */
async function deviceOf(records: Records, id: string): Promise<Principal | null> {
  const found = (await records.get<Principal>(principalPath(id)))?.record ?? null;
  if (found !== null && found.kind !== 'device') throw otherKind(found);
  return found;
}

/** `device revoke`. @throws CliError, UmbraError */
export const revoke: Run = async (session, [id = ''], options) => {
  const { tenant, certificate, reason = '', deleted } = options as Given;
  const sha256 = certificate === undefined ? null : await fingerprintOf(certificate, session);
  await session.confirm(
    sha256 === null ? `Take ${id} all its keys and certificates?` : `Revoke the certificate ${sha256} of ${id}?`,
  );
  const records = await recordsOf(session, tenant);
  if (sha256 !== null) {
    const { record } = await records.put<object>(revocationPath('certificate', sha256), { reason }, undefined);
    return session.out.say(record, `the certificate ${sha256} is revoked`);
  }
  const device = await deviceOf(records, id);
  // The certificates of one that is gone hold, and a slip in a name must not seem to have revoked them.
  if (device === null && !deleted)
    throw new CliError(
      EXIT.notFound,
      `there is no device ${id}. If it was deleted, --deleted revokes the certificates of the thing ${id}`,
    );
  // One without a thing can have no certificates.
  const thing = device === null ? id : device.thing;
  if (thing !== null) await records.put(revocationPath('thing', thing), { reason }, undefined);
  const keys = device === null ? [] : await revokeAll(records, id);
  await session.out.say(
    { principal: id, thing, revoked: true, keys },
    `${keys.length} keys of ${id} are revoked${thing === null ? '' : `, and all certificates of ${thing}`}`,
  );
};

/** `device restore`. @throws CliError, UmbraError */
export const restore: Run = async (session, [id = ''], options) => {
  const records = await recordsOf(session, (options as Given).tenant);
  const device = await deviceOf(records, id);
  // The thing of its name may be that of another device, which was lost.
  if (device === null && !(options as Given).deleted)
    throw new CliError(
      EXIT.notFound,
      `there is no device ${id}. If it was deleted, --deleted restores the certificates of the thing ${id}`,
    );
  const thing = device === null ? id : device.thing;
  if (thing === null) throw new CliError(EXIT.notFound, `${id} has no thing, and so no certificates`);
  await records.remove(revocationPath('thing', thing));
  await session.out.say(
    { principal: id, thing, restored: true },
    `the certificates of ${thing} are not revoked any more`,
  );
};
