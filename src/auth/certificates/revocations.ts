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

/** All revocations of all tenants, which do not change: a change makes a new set. Each question is one look-up. */
export class Revocations {
  static readonly NONE = new Revocations();

  readonly #certificates = new Set<string>();
  readonly #things = new Set<string>();
  readonly #keys = new Set<string>();

  static of(records: Iterable<RevocationRecord>): Revocations {
    const made = new Revocations();
    for (const record of records) made.#add(record);
    return made;
  }

  /** Whether a certificate has been revoked, or its thing or authority has. */
  includes({ tenant, thing, fingerprint, twin, keyHash }: Revocable): boolean {
    return (
      this.#certificates.has(`${tenant}/${fingerprint}`) ||
      (twin !== null && this.#certificates.has(`${tenant}/${twin}`)) ||
      this.#things.has(`${tenant}/${thing}`) ||
      this.#keys.has(`${tenant}/${keyHash}`)
    );
  }

  #add(record: RevocationRecord): void {
    const { tenant } = record;
    if (record.kind === 'certificate') this.#certificates.add(`${tenant}/${record.fingerprint}`);
    else if (record.kind === 'thing') this.#things.add(`${tenant}/${record.thing}`);
    else this.#keys.add(`${tenant}/${record.keyHash}`);
  }
}
