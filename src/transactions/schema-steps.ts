import { ServiceError } from '../errors/service-error.js';

/** Steps of one run of a transaction: it holds the node's one thread, for 0.2 s at the most. */
const MAX_OF_RUN = 500_000;
/** Steps of all its runs: it runs again whenever another node was faster. */
const MAX_OF_ALL = 4 * MAX_OF_RUN;

/** Bounds the work of the schemas of one transaction: each part of a schema meets each part of a document once. */
export class SchemaSteps {
  #ofRun = 0;
  #ofAll = 0;

  /** Another run begins. No errors. */
  begin(): void {
    this.#ofRun = 0;
  }

  /** @throws ServiceError invalidRequest, tooManyRequests */
  take(steps: number): void {
    this.#ofRun += steps;
    this.#ofAll += steps;
    if (this.#ofRun > MAX_OF_RUN) {
      throw new ServiceError('invalidRequest', 'the schemas of the transaction are too large for these documents');
    }
    if (this.#ofAll > MAX_OF_ALL) {
      throw new ServiceError('tooManyRequests', 'others changed the shadows while large schemas were checked');
    }
  }
}
