import type { Credentials, Identity } from '../access/authenticator.js';
import type { Principal } from '../access/principal.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import type { CredentialKind } from './credential-kinds.js';
import type { KeyPrincipals } from './key-principals.js';
import { looksLikeSecretKey, secretKeyId, type SecretKeys } from './tokens/secret-key.js';

/** Keys that are remembered. */
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
  /**
   * By the whole key, which was shown before, and held. The Map finds it by a seeded hash, so that its time tells nobody
   * how much of a guess is right.
   */
  readonly #held = new Map<string, Held>();

  constructor(
    private readonly directory: AccessDirectory,
    private readonly keys: SecretKeys,
    private readonly principals: KeyPrincipals,
    private readonly clock: Clock,
  ) {}

  identify({ bearer, password }: Credentials): Identity | null {
    const shown = bearer ?? password;
    if (shown === null || !looksLikeSecretKey(shown)) return null;
    const held = this.#held.get(shown);
    if (held !== undefined && held.generation === this.directory.generation && held.until > this.clock.now())
      return held.principal;
    const identity = this.#check(shown);
    if (!(identity instanceof ServiceError)) this.#hold(shown, identity);
    return identity;
  }

  #hold(shown: string, principal: Principal): void {
    const { generation } = this.directory;
    // What was held for another generation is of no use.
    if (this.#held.size >= MAX_REMEMBERED) this.#held.clear();
    this.#held.set(shown, { generation, principal, until: principal.expiresAt ?? Infinity });
  }

  #check(shown: string): Identity {
    const id = secretKeyId(shown);
    if (id === null) return new ServiceError('credentialsMissing', ': this is no key of this service');
    const record = this.directory.get('key', id)?.record;
    const digest = record?.proof.kind === 'secret' ? record.proof.digest : null;
    if (!this.keys.matches(shown, digest) || record === undefined) return new ServiceError('credentialsUnknown');
    return this.principals.of(id, record);
  }
}
