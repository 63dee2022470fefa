import { ServiceError } from '../errors/service-error.js';

/** The limits of lists at the door of HTTP. */
const MAX_PAGE = 100;
const DEFAULT_PAGE = 25;

/** The members by which messages ask for a page. */
export interface PageMessage {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** @throws ServiceError invalidRequest for a size that no page has */
export function pageOf({ pageSize: limit = DEFAULT_PAGE, pageToken }: PageMessage): { limit: number; after?: string } {
  if (limit < 1 || limit > MAX_PAGE) {
    throw new ServiceError('invalidRequest', `page_size must be a whole number from 1 to ${MAX_PAGE}`);
  }
  return { limit, ...(pageToken !== undefined && { after: pageToken }) };
}
