import type { CredentialStanding } from '../access/credential-standing.js';
import type { Principal } from '../access/principal.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import { keyStands } from '../directory/standing.js';
import type { Clock } from '../resilience/clock.js';
import type { VerifiedToken } from './tokens/access-tokens.js';
import type { DenialList } from './tokens/denial-list.js';

/** Begins the credential of a principal that has shown an access token. */
const TOKEN_CREDENTIAL = 'token:';

type Parts = readonly [key: string | null, issuedAt: number, issuer: string, id: string];

/** The credential of who has shown this token: all by which it can be revoked, and no secret. No errors. */
export function tokenCredential({ key = null, issuedAt, issuer, id }: VerifiedToken): string {
  const parts: Parts = [key, issuedAt, issuer, id];
  return TOKEN_CREDENTIAL + JSON.stringify(parts);
}

/** Ends the credential of a token with its denial, and with the key that it was got with. */
export class TokenStanding implements CredentialStanding {
  constructor(
    private readonly directory: AccessDirectory,
    private readonly denials: DenialList,
    private readonly clock: Clock,
  ) {}

  get generation(): number {
    return this.denials.generation;
  }

  holds(principal: Principal): boolean {
    const { credential, tenant, id: name } = principal;
    if (!credential?.startsWith(TOKEN_CREDENTIAL)) return true;
    const [key, issuedAt, issuer, id] = JSON.parse(credential.slice(TOKEN_CREDENTIAL.length)) as Parts;
    if (key !== null && !keyStands(this.directory, principal, key, this.clock.now())) return false;
    return this.denials.faultOf({ issuer, id, tenant, principal: name, issuedAt }) === null;
  }

  onChange(listener: () => void): () => void {
    return this.denials.onChange(listener);
  }
}
