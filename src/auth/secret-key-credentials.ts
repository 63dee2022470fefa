import { hash } from 'node:crypto';
import type { Credentials, Identity } from '../access/authenticator.js';
import type { Principal } from '../access/principal.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import type { KeyRecord } from '../directory/records/key-record.js';
import { KEY_CREDENTIAL } from '../directory/standing.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import type { CredentialKind } from './credential-kinds.js';
import { looksLikeSecretKey, secretKeyId, type SecretKeys } from './tokens/secret-key.js';

/** Principals that are remembered: who asks again gets the same object, for which policies are known already. */
const MAX_REMEMBERED = 10_000;

/** A key that was checked, for one generation of the records of access. */
interface Held {
  readonly generation: number;
  readonly principal: Principal;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Knows callers by the keys that this service has made: as the password of MQTT, or the token of `Bearer`. */
export class SecretKeyCredentials implements CredentialKind {
  readonly #known = new Map<string, { readonly generation: number; readonly principal: Principal }>();
  /** By SHA-256 of the whole key: a fifth of what its check costs. What is found was shown before, and held. */
  readonly #held = new Map<string, Held>();

  constructor(
    private readonly directory: AccessDirectory,
    private readonly keys: SecretKeys,
    private readonly clock: Clock,
  ) {}

  identify({ bearer, password }: Credentials): Identity | null {
    const shown = bearer ?? password;
    if (shown === null || !looksLikeSecretKey(shown)) return null;
    const sum = hash('sha256', shown, 'base64');
    const held = this.#held.get(sum);
    if (held !== undefined && held.generation === this.directory.generation && held.until > this.clock.now())
      return held.principal;
    const identity = this.#check(shown);
    if (!(identity instanceof ServiceError)) this.#hold(sum, identity);
    return identity;
  }

  #hold(sum: string, principal: Principal): void {
    const { generation } = this.directory;
    // What was held for another generation is of no use.
    if (this.#held.size >= MAX_REMEMBERED) this.#held.clear();
    this.#held.set(sum, { generation, principal, until: principal.expiresAt ?? Infinity });
  }

  #check(shown: string): Identity {
    const id = secretKeyId(shown);
    if (id === null) return new ServiceError('credentialsMissing', ': this is no key of this service');
    const record = this.directory.get('key', id)?.record;
    const digest = record?.proof.kind === 'secret' ? record.proof.digest : null;
    if (!this.keys.matches(shown, digest) || record === undefined) return new ServiceError('credentialsUnknown');
    return this.#faultOf(record) ?? this.#principalOf(id, record);
  }

  /** Said only to who has shown the key. */
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
