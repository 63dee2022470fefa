/**
 * `AUTH_101` missing or malformed, `AUTH_102` signature wrong or key unknown, `AUTH_110` too far from the clock or used
 * before.
 */
export type SignatureFaultCode = 'AUTH_101' | 'AUTH_102' | 'AUTH_110';

/** Why a signature is not accepted. */
export class SignatureFault {
  readonly verified = false;

  /** @param reason for the caller: what is wrong and what to change; repeats no secret and no signature */
  constructor(
    readonly code: SignatureFaultCode,
    readonly reason: string,
  ) {}
}

/** Characters of a value of the caller that a reason repeats. */
const MAX_SHOWN = 60;

/** A fault of form. */
export const malformed = (reason: string): SignatureFault => new SignatureFault('AUTH_101', reason);

/** A value of the caller as a reason shows it: quoted, and cut when it is long. */
export const shown = (value: string): string =>
  JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}...` : value);
