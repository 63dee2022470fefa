import { FINGERPRINT, PRINCIPAL_ID, REVOKED_ID, REVOKED_KIND, TENANT_NAME } from './record-names.js';
import { MAX_RECORD_BYTES, type RecordKind } from './record-kind.js';
import { RecordFault } from './record-reader.js';

interface Revocation {
  readonly tenant: string;
  /** For people. */
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly revokedAtMs: number;
  /** Principal that has revoked it. */
  readonly revokedBy: string;
}

/**
 * What is revoked: `revocations/{tenant}/{kind}/{id}`. The key alone says what: a record that cannot be read still
 * revokes.
 */
export type RevocationRecord = Revocation &
  (
    | { readonly kind: 'certificate'; /** SHA-256 of the certificate. */ readonly fingerprint: string }
    /** All certificates of a thing, those that are made later too. */
    | { readonly kind: 'thing'; readonly thing: string }
    /** All certificates that an authority has issued. The id is the SHA-256 of its public key. */
    | { readonly kind: 'authority'; readonly keyHash: string; /** The empty text: not known. */ readonly caId: string }
  );

const MAX_REASON = 1024;

export const REVOCATION: RecordKind<RevocationRecord> = {
  noun: 'revocation',
  folder: 'revocations',
  parts: [TENANT_NAME, REVOKED_KIND, REVOKED_ID],
  maxBytes: MAX_RECORD_BYTES,
  most: 1_000_000,
  read: (reader, names) => {
    const [tenant = '', kind, id = ''] = names;
    const revocation = {
      tenant,
      reason: reader.text('reason', MAX_REASON),
      revokedAtMs: reader.timeMs('revokedAtMs'),
      revokedBy: reader.name('revokedBy', PRINCIPAL_ID),
    };
    if (kind === 'thing') return { ...revocation, kind, thing: id };
    if (!FINGERPRINT.pattern.test(id))
      throw new RecordFault(`${reader.place}: the last part must be ${FINGERPRINT.words}`);
    if (kind === 'certificate') return { ...revocation, kind, fingerprint: id };
    return { ...revocation, kind: 'authority', keyHash: id, caId: reader.name('caId', FINGERPRINT) };
  },
  write: (record) => {
    const { reason, revokedAtMs, revokedBy } = record;
    return { reason, revokedAtMs, revokedBy, ...(record.kind === 'authority' ? { caId: record.caId } : {}) };
  },
  closed: ([tenant = '', kind, id = '']) => {
    const revocation = { tenant, reason: 'the record cannot be read', revokedAtMs: 0, revokedBy: 'nobody' };
    if (kind === 'thing') return { ...revocation, kind, thing: id };
    if (kind === 'certificate') return { ...revocation, kind, fingerprint: id };
    return { ...revocation, kind: 'authority', keyHash: id, caId: '' };
  },
};
