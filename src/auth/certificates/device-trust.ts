import type { AccessDirectory } from '../../directory/access-directory.js';
import type { AuthorityRecord } from '../../directory/records/authority-record.js';
import type { Authority } from './authority.js';
import { CaRegistry } from './ca-registry.js';
import type { Trust } from './device-certificate.js';
import type { RevocationLookup } from './revocations.js';

/** Milliseconds that the clocks of issuers and nodes may differ. */
export const CERTIFICATE_SKEW_MS = 30_000;

interface Kept {
  readonly revision: number;
  readonly record: AuthorityRecord;
}

/** Injection token of the DeviceTrust. */
export const DEVICE_TRUST = Symbol('DeviceTrust');

/** What certificates of devices are judged by: the authorities and revocations of the directory, as they are now. */
export class DeviceTrust implements Trust {
  readonly skewMs = CERTIFICATE_SKEW_MS;
  readonly revocations: RevocationLookup;
  #authorities = CaRegistry.EMPTY;
  /** By tenant and fingerprint. A new state of the store brings new objects of records that have not changed. */
  #kept: ReadonlyMap<string, Kept> = new Map();

  constructor(private readonly directory: AccessDirectory) {
    this.revocations = { has: (tenant, kind, id) => directory.get('revocation', tenant, kind, id) !== null };
    directory.onChange((change) => {
      if (change === 'all' || change.kind === 'authority') this.#read();
    });
    this.#read();
  }

  get authorities(): CaRegistry {
    return this.#authorities;
  }

  /** Why a stored authority is not used; null: it is. No errors. */
  faultOf(tenant: string, caId: string): string | null {
    const { unused } = this.#authorities;
    const record = this.#kept.get(`${tenant}/${caId}`)?.record;
    return unused.find((each) => each.record === record)?.reason ?? null;
  }

  /** The authority by whose record a device stands or falls: of those with its key the one that lasts longest. No errors. */
  authorityOf(tenant: string, keyHash: string): Authority | null {
    let last: Authority | null = null;
    for (const authority of this.#authorities.withKey(tenant, keyHash)) {
      if (!authority.isDisabled && authority.notAfterMs > (last?.notAfterMs ?? 0)) last = authority;
    }
    return last;
  }

  /** Only what has changed is parsed: each authority costs about 0.1 ms. */
  #read(): void {
    const kept = new Map<string, Kept>();
    for (const { names, record, revision } of this.directory.list('authority')) {
      const name = names.join('/');
      const before = this.#kept.get(name);
      kept.set(name, before?.revision === revision ? before : { revision, record });
    }
    this.#kept = kept;
    const records = Array.from(kept.values(), ({ record }) => record);
    this.#authorities = CaRegistry.of(records, this.#authorities);
  }
}
