import type { FastifyRequest } from 'fastify';
import type { Identity } from '../access/authenticator.js';
import type { FailureLimits } from '../access/failure-limits.js';
import type { Principal } from '../access/principal.js';
import { KEY_CREDENTIAL } from '../directory/standing.js';
import { ServiceError } from '../errors/service-error.js';
import { clientError, OAuthError } from './oauth-error.js';
import type { OAuthForm } from './oauth-form.js';
import type { SecretKeyCredentials } from './secret-key-credentials.js';
import type { Presenter } from './tokens/client-binding.js';

const BASIC = /^Basic +([A-Za-z0-9+/]+=*) *$/i;

/** A principal that has proven itself by one of its keys. */
export interface OAuthClient extends Presenter {
  readonly principal: Principal;
  /** `tenant/principal`, as tokens name it. */
  readonly client: string;
  /** Id of the key. */
  readonly key: string;
}

/** Knows clients of OAuth: the client id is that of a principal, the secret one of its keys. */
export class OAuthClients {
  constructor(
    private readonly keys: SecretKeyCredentials,
    private readonly failures: FailureLimits,
  ) {}

  /**
   * Who sends a request, by `client_secret_basic` or `client_secret_post` (RFC 6749 section 2.3.1).
   * @throws OAuthError invalid_client, invalid_request
   * @throws ServiceError tooManyFailures, and only for who would be refused anyway
   */
  authenticate({ headers, ip }: FastifyRequest, form: OAuthForm): OAuthClient {
    const { id, secret } = shown(headers.authorization, form);
    const principal = this.failures.counted(this.#identify(id, secret, ip), ip, id);
    if (principal instanceof ServiceError) throw principal.status === 401 ? clientError(principal) : principal;
    const key = principal.credential?.slice(KEY_CREDENTIAL.length) ?? '';
    return { principal, client: clientOf(principal), key, address: ip, agent: headers['user-agent'] ?? '' };
  }

  #identify(id: string, secret: string, address: string): Identity {
    const found = this.keys.identify({ userName: null, password: secret, bearer: null, certificate: null, address });
    if (found === null) return new ServiceError('wrongSecret');
    if (found instanceof ServiceError || id === found.id || id === clientOf(found)) return found;
    return new ServiceError('wrongSecret');
  }
}

const clientOf = ({ tenant, id }: Principal): string => `${tenant}/${id}`;

function shown(authorization: string | undefined, form: OAuthForm): { readonly id: string; readonly secret: string } {
  const [id, secret] = [form.get('client_id'), form.get('client_secret')];
  if (authorization === undefined) {
    if (id !== undefined && secret !== undefined) return { id, secret };
    throw new OAuthError('invalid_client', 'send the id of a principal and one of its keys', 'AUTH_101');
  }
  if (secret !== undefined)
    throw new OAuthError('invalid_request', 'send the key once: in Authorization or in the body');
  const basic = basicOf(authorization);
  if (basic === null)
    throw new OAuthError('invalid_client', 'Authorization must be Basic, with id and key', 'AUTH_101');
  if (id !== undefined && id !== basic.id)
    throw new OAuthError('invalid_request', 'client_id must be that of Authorization');
  return basic;
}

/** Null: it is none. */
function basicOf(authorization: string): { readonly id: string; readonly secret: string } | null {
  const text = Buffer.from(BASIC.exec(authorization)?.[1] ?? '', 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0) return null;
  try {
    return { id: decoded(text.slice(0, colon)), secret: decoded(text.slice(colon + 1)) };
  } catch {
    return null;
  }
}

/** RFC 6749 section 2.3.1: both are form-encoded before they become Basic. @throws URIError */
const decoded = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));
