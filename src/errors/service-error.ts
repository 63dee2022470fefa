import { ERROR_TABLE, type ErrorRow, type ServiceErrorCode } from './error-table.js';

/** The error of every rejected request: a row of the error table with its detail. `message` is for the caller. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  /** HTTP status and MQTT `code`. */
  readonly status: number;
  /** Value of `x-amzn-ErrorType`. */
  readonly awsType: string;
  /** `AUTH_nnn` of a refusal by identity, policies or limits; none: the error is another. */
  readonly authCode?: string;

  /**
   * @param code row of the table
   * @param detail fills `{detail}` of the row's text
   * @param clientToken token of the rejected request, if it could be read; the answer echoes it
   */
  constructor(
    readonly code: ServiceErrorCode,
    detail = '',
    readonly clientToken?: string,
  ) {
    const row: ErrorRow = ERROR_TABLE[code];
    super(row.text.replace('{detail}', () => detail));
    this.status = row.http;
    this.awsType = row.aws;
    if (row.code !== undefined) this.authCode = row.code;
  }

  /** The same error with the token of its request; this one when there is no token, or it has one. */
  withToken(clientToken: string | undefined): ServiceError {
    if (clientToken === undefined || this.clientToken !== undefined) return this;
    const copy = new ServiceError(this.code, '', clientToken);
    copy.message = this.message;
    return copy;
  }
}
