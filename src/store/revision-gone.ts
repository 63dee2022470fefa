import { ServiceError } from '../errors/service-error.js';

/** The store no longer has what a caller asks for: its history was compacted. */
export class RevisionGone extends ServiceError {
  /**
   * @param what in words: `revision 7`
   * @param oldest revision that the store still has, or had when it was asked
   */
  constructor(
    what: string,
    readonly oldest: number,
  ) {
    super('revisionGone', `${what}: the oldest that is available is revision ${oldest}`);
  }
}
