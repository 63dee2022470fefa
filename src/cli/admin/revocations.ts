import { textOf } from '../json-file.js';
import { recordsOf, type RecordPath } from '../records.js';
import type { Run, Session } from '../session.js';
import { certificateIn } from '../x509/pem.js';

/** A revocation as the service shows it. */
interface Revocation {
  readonly kind: 'certificate' | 'thing' | 'authority';
  readonly id: string;
  readonly reason: string;
  readonly revokedAt: string;
  readonly revokedBy: string;
}

interface Given {
  readonly tenant?: string;
  readonly reason?: string;
}

/** SHA-256 in hexadecimal, perhaps as openssl shows it. */
const FINGERPRINT = /^([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i;

/** The path of a revocation, below the base of its tenant. No errors. */
export const revocationPath = (kind: Revocation['kind'], id: string): RecordPath => ['revocations', kind, id];

/** The SHA-256 of a certificate that is given by it or by a file. @throws CliError */
export async function fingerprintOf(given: string, session: Session): Promise<string> {
  if (FINGERPRINT.test(given)) return given.replaceAll(':', '').toLowerCase();
  const certificate = certificateIn(await textOf(given, session.around), given);
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

/** `client certificate list`. @throws CliError, UmbraError */
export const list: Run = async (session, _, options) => {
  const records = await recordsOf(session, (options as Given).tenant);
  const head = ['KIND', 'ID', 'REVOKED', 'BY', 'REASON'];
  await session.out.stream(records.list<Revocation>(['revocations'], 'revocations'), head, (each) => [
    ...[each.kind, each.id, each.revokedAt, each.revokedBy, each.reason],
  ]);
};

/** `client certificate revoke`. @throws CliError, UmbraError */
export const revoke: Run = async (session, [given = ''], options) => {
  const id = await fingerprintOf(given, session);
  const { reason = '' } = options as Given;
  await session.confirm(`Revoke the certificate ${id}?`);
  const path = revocationPath('certificate', id);
  const { record } = await (
    await recordsOf(session, (options as Given).tenant)
  ).put<Revocation>(path, { reason }, undefined);
  await session.out.say(record, `the certificate ${id} is revoked`);
};

/** `client certificate restore`. @throws CliError, UmbraError */
export const restore: Run = async (session, [given = ''], options) => {
  const id = await fingerprintOf(given, session);
  await (await recordsOf(session, (options as Given).tenant)).remove(revocationPath('certificate', id));
  await session.out.say({ kind: 'certificate', id, restored: true }, `the certificate ${id} is not revoked any more`);
};
