import { ServiceError } from '../errors/service-error.js';

/** An error with members beyond those of every problem (RFC 9457 section 3.2). Answers of AWS paths omit them. */
export class ProblemError extends ServiceError {
  constructor(
    error: ServiceError,
    readonly members: Readonly<Record<string, unknown>>,
  ) {
    super(error.code, '', error.clientToken);
    this.message = error.message;
  }

  override withToken(clientToken: string | undefined): ServiceError {
    const named = super.withToken(clientToken);
    return named === this ? this : new ProblemError(named, this.members);
  }
}
