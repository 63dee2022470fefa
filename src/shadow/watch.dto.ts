import { Transform } from 'class-transformer';
import {
  ArrayMaxSize,
  Equals,
  IsBoolean,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { IsRevision } from '../http/revision.js';
import { MAX_CREDIT } from './credit.js';
import { QueryError } from '../http/query.js';
import {
  FORMS,
  KINDS,
  MAX_PATH,
  MAX_VALUES,
  uselessBeside,
  type EventKind,
  type WatchFilter,
} from '../watch/watch-filter.js';

const cursorMessage = 'cursor must be given once, as an event of the stream gave it';

const creditMessage = `credit must be a whole number from 0 to ${MAX_CREDIT}`;
const kindMessage = `kind must be one of ${KINDS.join(', ')}`;
const pathMessage = `path must be a JSON Pointer into the state of at most ${MAX_PATH} characters, such as /desired/led`;

/** A parameter that may be given several times. */
const Values = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => (value === undefined ? undefined : [value].flat()));
const Flag = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value));
const Whole = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? +value : value));
const Bounded = (name: string): PropertyDecorator =>
  ArrayMaxSize(MAX_VALUES, { message: `${name} may be given ${MAX_VALUES} times at most` });

/** Of every stream. */
export class WatchQuery {
  /** `id` of the last processed event; the header Last-Event-ID overrides it. */
  @IsOptional()
  @IsString({ message: cursorMessage })
  @IsNotEmpty({ message: cursorMessage })
  cursor?: string;

  /** Send the present state first. Has no effect on a stream that resumes. */
  @Flag()
  @IsBoolean({ message: 'initial must be true or false' })
  initial: boolean = false;

  /** The stream begins behind this revision of the store. Has no effect on one that resumes. */
  @IsRevision()
  minRevision?: number;

  @IsOptional()
  @Values()
  @Bounded('kind')
  @IsIn(KINDS, { each: true, message: kindMessage })
  kind?: EventKind[];

  /** JSON Pointers; a change passes that touches one of them. */
  @IsOptional()
  @Values()
  @Bounded('path')
  @MaxLength(MAX_PATH, { each: true, message: pathMessage })
  @Matches(FORMS.path, { each: true, message: pathMessage })
  path?: string[];

  /** Only changes that leave a difference between desired and reported. */
  @IsOptional()
  @Flag()
  @Equals(true, { message: 'delta must be true, or be left out' })
  delta?: true;

  /** Leave out changes that have changed no value. */
  @IsOptional()
  @Flag()
  @Equals(true, { message: 'real must be true, or be left out' })
  real?: true;

  /** Bring the document before each change. */
  @IsOptional()
  @Flag()
  @Equals(true, { message: 'previous must be true, or be left out' })
  previous?: true;

  /** Events that a client of a WebSocket takes before it grants more; without it any number. */
  @IsOptional()
  @Whole()
  @Min(0, { message: creditMessage })
  @Max(MAX_CREDIT, { message: creditMessage })
  @IsInt({ message: creditMessage })
  credit?: number;
}

/** Of the stream of one shadow, whose name is read with its thing. */
export class WatchShadowQuery extends WatchQuery {
  @IsOptional()
  name?: unknown;
}

/** Of the stream of one thing. */
export class WatchThingQuery extends WatchQuery {
  @IsOptional()
  @Values()
  @Bounded('shadow')
  @Matches(FORMS.shadow, {
    ...{ each: true },
    message: 'shadow must be the name of a shadow, the beginning of one with * behind it, or .classic',
  })
  shadow?: string[];
}

/** Of the stream of everything. */
export class WatchThingsQuery extends WatchThingQuery {
  @IsOptional()
  @Values()
  @Bounded('thing')
  @Matches(FORMS.thing, {
    ...{ each: true },
    message: 'thing must be the name of a thing, or the beginning of one with * behind it',
  })
  thing?: string[];
}

/** Names of parameters by the members of the filter. */
const PARAMETERS = { shadows: 'shadow', paths: 'path', delta: 'delta' } as const;

/**
 * What the filters of a stream ask for.
 * @throws QueryError for presence alone with a parameter that is about documents
 */
export function filterOf(query: WatchQuery & Partial<WatchThingsQuery>): WatchFilter {
  const { thing: things, shadow: shadows, kind: kinds, path: paths, delta } = query;
  const filter = { things, shadows, kinds, paths, delta };
  const useless = uselessBeside(filter);
  if (useless === null) return filter;
  const parameter = PARAMETERS[useless];
  const message = `${parameter} is about documents, and kind=presence brings none; leave it out, or add kind=updated`;
  throw new QueryError([{ parameter, message }]);
}
