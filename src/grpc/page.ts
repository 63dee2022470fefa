import { ServiceError } from '../errors/service-error.js';

/** The limits of lists at the door of HTTP. */
const MAX_PAGE = 100;
const DEFAULT_PAGE = 25;

/** The members by which messages ask for a page. */
export interface PageMessage {
  readonly pageSize?: number;
  readonly pageToken?: string;
  /** A page that is as new as this revision of the store. */
  readonly minRevision?: number;
}

/** As the use cases take it. */
export interface Page {
  readonly limit: number;
  readonly after?: string;
  readonly minRevision?: number;
}

/** @throws ServiceError invalidRequest for a size that no page has, and what is no revision */
export function pageOf({ pageSize: limit = DEFAULT_PAGE, pageToken, minRevision }: PageMessage): Page {
  if (limit < 1 || limit > MAX_PAGE) {
    throw new ServiceError('invalidRequest', `page_size must be a whole number from 1 to ${MAX_PAGE}`);
  }
  if (minRevision !== undefined && !(Number.isSafeInteger(minRevision) && minRevision > 0)) {
    throw new ServiceError('invalidRequest', 'min_revision must be a revision of the storage, as an answer gave it');
  }
  return {
    limit,
    ...(pageToken !== undefined && { after: pageToken }),
    ...(minRevision !== undefined && { minRevision }),
  };
}
