import { Transform } from 'class-transformer';
import { PageTokenError } from '../store/page-token.js';
import { IsRevision } from './revision.js';
import { QueryError } from './query.js';
import { IsInt, IsNotEmpty, IsOptional, IsString, Max, Min } from 'class-validator';

/** The limit of AWS (PROTOCOL 3). Our own lists have the same limit, so that a page is one read of the store. */
const MAX_PAGE = 100;
const DEFAULT_PAGE = 25;

/** Keeps any other text unchanged, and the next rule rejects it. */
const ToInteger = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value,
  );

const sizeMessage = `$property must be given once, as a whole number from 1 to ${MAX_PAGE}`;
const tokenMessage = '$property must be given once, as the page before gave it';

/** A page of one of our own lists. */
export class PageQuery {
  @ToInteger()
  @IsInt({ message: sizeMessage })
  @Min(1, { message: sizeMessage })
  @Max(MAX_PAGE, { message: sizeMessage })
  limit: number = DEFAULT_PAGE;

  /** `next` of the page before. */
  @IsOptional()
  @IsString({ message: tokenMessage })
  @IsNotEmpty({ message: tokenMessage })
  after?: string;
}

/** A page of a list of shadows, which may have to be as new as an earlier answer. */
export class ShadowPageQuery extends PageQuery {
  @IsRevision()
  minRevision?: number;
}

/** The start of a page whose size is fixed. */
export class AfterQuery {
  @IsOptional()
  @IsString({ message: tokenMessage })
  @IsNotEmpty({ message: tokenMessage })
  after?: string;
}

/** A page of ListNamedShadowsForThing (PROTOCOL 4.2). */
export class AwsPageQuery {
  @ToInteger()
  @IsInt({ message: sizeMessage })
  @Min(1, { message: sizeMessage })
  @Max(MAX_PAGE, { message: sizeMessage })
  pageSize: number = DEFAULT_PAGE;

  @IsOptional()
  @IsString({ message: tokenMessage })
  @IsNotEmpty({ message: tokenMessage })
  nextToken?: string;
}

/**
 * Returns the page, or names the caller's own parameter in the error of a bad token.
 * @throws QueryError instead of PageTokenError; what `page` rejects with
 */
export async function pageAfter<T>(parameter: 'after' | 'nextToken', page: Promise<T>): Promise<T> {
  try {
    return await page;
  } catch (error) {
    if (!(error instanceof PageTokenError)) throw error;
    throw new QueryError([{ parameter, message: new PageTokenError(parameter).message }]);
  }
}
