import { ServiceError } from '../errors/service-error.js';
import type { ShadowState } from '../document/shadow-document.js';
import type { ShadowPlace } from './transaction-request.js';

/** Why an operation refuses its transaction, and on what. */
export interface RefusedOn extends ShadowPlace {
  /** The shadow as it was before the transaction; null: it did not exist; absent: nobody has looked. */
  readonly current?: ShadowState | null;
}

/** One operation of a transaction that cannot be carried out: nothing of the transaction was. */
export class OperationRefused extends ServiceError {
  constructor(
    error: ServiceError,
    /** Place in the list of operations, from 0. */
    readonly operation: number,
    readonly on: RefusedOn,
  ) {
    super(error.code, '', error.clientToken);
    this.message = `operations[${operation}]: ${error.message}`;
  }

  override withToken(clientToken: string | undefined): ServiceError {
    if (clientToken === undefined || this.clientToken !== undefined) return this;
    const copy = new OperationRefused(new ServiceError(this.code, '', clientToken), this.operation, this.on);
    copy.message = this.message;
    return copy;
  }
}
