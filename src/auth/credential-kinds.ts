import type { Authenticator, Credentials, Identity } from '../access/authenticator.js';
import type { RequestSignatures } from '../access/request-signatures.js';
import { ServiceError } from '../errors/service-error.js';

/** One way of proving who one is. */
export interface CredentialKind {
  /** Null: the caller has shown nothing of this kind. Never rejects. */
  identify(credentials: Credentials): Identity | Promise<Identity> | null;
}

/**
 * Knows callers by whatever they show, the first kind that they do. What is shown and does not hold is refused, and no
 * other kind is tried: a client that says who it is must not become somebody else.
 */
export class CredentialKinds implements Authenticator {
  readonly isRequired = true;

  /** @param kinds in the order in which they count: what a client sends before what its connection has */
  constructor(
    private readonly kinds: readonly CredentialKind[],
    readonly signatures: RequestSignatures | null = null,
  ) {}

  authenticate(credentials: Credentials): Identity | Promise<Identity> {
    for (const kind of this.kinds) {
      const identity = kind.identify(credentials);
      if (identity !== null) return identity;
    }
    const { bearer, password } = credentials;
    if (bearer === null && password === null)
      return new ServiceError(
        'credentialsMissing',
        ': send a key or an access token as Bearer token or MQTT password, or a certificate',
      );
    return new ServiceError('credentialsMissing', ': this is neither a key nor a token of this service');
  }
}
