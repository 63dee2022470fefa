/** The answer to "may this caller do this to that?". Only `allow` permits. */
export interface Decision {
  /** `none`: no statement is about it, which refuses too. */
  readonly effect: 'allow' | 'deny' | 'none';
  /** Name of the policy that decided, null when none did. */
  readonly policy: string | null;
  /** Index of its statement that decided, null when none did. */
  readonly statement: number | null;
}

export const NO_STATEMENT: Decision = Object.freeze({ effect: 'none', policy: null, statement: null });
