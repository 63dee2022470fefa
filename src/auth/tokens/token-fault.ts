/** What is wrong with a credential, by the code that its caller is told. */
export const TOKEN_FAULTS = {
  /** Missing, malformed or too long. */
  malformed: 'AUTH_101',
  /** Its signature or its key is not known. Whether such a key exists is not told. */
  unknown: 'AUTH_102',
  expired: 'AUTH_103',
  notYetValid: 'AUTH_104',
  revoked: 'AUTH_105',
  /** Of an issuer, for an audience, or of a tenant that is not ours. */
  foreign: 'AUTH_106',
  /** Bound to another client, address range or agent. */
  bound: 'AUTH_107',
  /** A refresh token that was used before. */
  reused: 'AUTH_108',
} as const;

export type TokenFaultName = keyof typeof TOKEN_FAULTS;

/** Why a token is refused. `reason` says what to change; it holds no part of the token. */
export class TokenFault {
  readonly code: (typeof TOKEN_FAULTS)[TokenFaultName];

  constructor(
    readonly fault: TokenFaultName,
    readonly reason: string,
    /** Seconds after which the same request may succeed; none: it will not. */
    readonly retryAfter: number | null = null,
  ) {
    this.code = TOKEN_FAULTS[fault];
  }
}
