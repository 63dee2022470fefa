import type { Authority } from './authority.js';

/** What is revoked, as it is stored: plain JSON. It holds for one tenant. */
export type RevocationRecord =
  /** SHA-256 of the certificate, in hexadecimal. */
  | { readonly kind: 'certificate'; readonly tenant: string; readonly fingerprint: string }
  /** All certificates of a thing, those that are made later too. */
  | { readonly kind: 'thing'; readonly tenant: string; readonly thing: string }
  /** All certificates that an authority has issued, also under a renewed certificate of its own with the same key. */
  | { readonly kind: 'authority'; readonly tenant: string; readonly caId: string; readonly keyHash: string };

/** What a revocation is looked up by. */
export interface Revocable {
  readonly tenant: string;
  readonly thing: string;
  readonly fingerprint: string;
  readonly twin: string | null;
  readonly keyHash: string;
}

/** Where revocations are looked up: those of now, or of one moment. */
export interface RevocationLookup {
  /** Whether there is a record of this kind. `id` is the fingerprint, the name of the thing, or the hash of the key. */
  has(tenant: string, kind: RevocationRecord['kind'], id: string): boolean;
}

/** The record that revokes an authority. */
export function revocationOf({ tenant, caId, keyHash }: Authority): RevocationRecord {
  return { kind: 'authority', tenant, caId, keyHash };
}

/** SHA-256 in hexadecimal, as this service forms it: other writings (`AB:CD:...`) are made so. Null: it is none. */
export function normalFingerprint(text: string): string | null {
  if (text.length > 95) return null;
  const digits = text.replaceAll(':', '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? digits : null;
}

/** Whether a certificate has been revoked, or its thing or authority has: four look-ups at most. */
export function isRevoked(
  { tenant, thing, fingerprint, twin, keyHash }: Revocable,
  revoked: RevocationLookup,
): boolean {
  return (
    revoked.has(tenant, 'certificate', fingerprint) ||
    (twin !== null && revoked.has(tenant, 'certificate', twin)) ||
    revoked.has(tenant, 'thing', thing) ||
    revoked.has(tenant, 'authority', keyHash)
  );
}

/** Revocations that do not change. */
export class Revocations implements RevocationLookup {
  static readonly NONE = new Revocations([]);

  readonly #keys: ReadonlySet<string>;

  private constructor(records: Iterable<RevocationRecord>) {
    this.#keys = new Set(Array.from(records, (record) => keyOf(record.tenant, record.kind, idOf(record))));
  }

  static of(records: Iterable<RevocationRecord>): Revocations {
    return new Revocations(records);
  }

  has(tenant: string, kind: RevocationRecord['kind'], id: string): boolean {
    return this.#keys.has(keyOf(tenant, kind, id));
  }
}

const keyOf = (tenant: string, kind: string, id: string): string => `${tenant}/${kind}/${id}`;

function idOf(record: RevocationRecord): string {
  if (record.kind === 'certificate') return record.fingerprint;
  return record.kind === 'thing' ? record.thing : record.keyHash;
}
