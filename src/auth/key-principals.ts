import type { Identity } from '../access/authenticator.js';
import type { Principal } from '../access/principal.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import type { KeyRecord } from '../directory/records/key-record.js';
import { KEY_CREDENTIAL } from '../directory/standing.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';

/** Principals that are remembered: who asks again gets the same object, for which policies are known already. */
const MAX_REMEMBERED = 10_000;

/** Whom a key stands for, whatever its owner proves it by. */
export class KeyPrincipals {
  readonly #known = new Map<string, { readonly generation: number; readonly principal: Principal }>();

  constructor(
    private readonly directory: AccessDirectory,
    private readonly clock: Clock,
  ) {}

  /** To be asked for who has proven to have the key: the error says what has become of it. No errors. */
  of(keyId: string, record: KeyRecord): Identity {
    return this.#faultOf(record) ?? this.#principalOf(keyId, record);
  }

  #faultOf({ tenant, principal, isDisabled, expiresAtMs }: KeyRecord): ServiceError | null {
    const owner = this.directory.get('principal', tenant, principal)?.record;
    if (isDisabled || owner?.isDisabled !== false) return new ServiceError('credentialsRevoked');
    if (this.directory.get('tenant', tenant)?.record.isDisabled !== false) return new ServiceError('tenantDisabled');
    return expiresAtMs !== null && expiresAtMs <= this.clock.now() ? new ServiceError('credentialsExpired') : null;
  }

  #principalOf(keyId: string, { tenant, principal: id, expiresAtMs }: KeyRecord): Principal {
    const { generation } = this.directory;
    const known = this.#known.get(keyId);
    if (known?.generation === generation) return known.principal;
    const thing = this.directory.get('principal', tenant, id)?.record.thing ?? null;
    const principal: Principal = {
      id,
      tenant,
      credential: KEY_CREDENTIAL + keyId,
      ...(thing !== null && { thing }),
      ...(expiresAtMs !== null && { expiresAt: expiresAtMs }),
    };
    this.#known.delete(keyId);
    this.#known.set(keyId, { generation, principal });
    if (this.#known.size > MAX_REMEMBERED) this.#known.delete(this.#known.keys().next().value as string);
    return principal;
  }
}
