import { queryParameter } from '../http/openapi/parameters.js';
import type { Clock } from '../resilience/clock.js';
import { MIN_REVISION, REVISION_MESSAGE, REVISION_SCHEMA, revisionIn } from '../http/revision.js';
import { QueryError, single } from '../http/query.js';
import type { VersionWanted } from './find-version.js';

/** Milliseconds by which the clock of a caller may be ahead of the node's: a time beyond is none that was. */
const CLOCKS_MS = 60_000;
const DIGITS = /^\d{1,15}$/;
/** RFC 3339 section 5.6, without the second of a leap. */
const TIME =
  /^(\d{4})-(0[1-9]|1[0-2])-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;

const TIME_MESSAGE =
  'at must be a time that has been: RFC 3339, such as 2023-11-14T22:13:20Z (in a query + is %2B), or milliseconds since 1970';

/** Of the GET of one shadow. */
export const VERSION_PARAMETERS = [
  MIN_REVISION,
  queryParameter('revision', 'The document as it was then; 410 beyond the history of the store.', REVISION_SCHEMA),
  queryParameter('at', 'The document as it was at this time (RFC 3339, or milliseconds since 1970); else 410.', {
    type: 'string',
  }),
];

interface Query {
  readonly minRevision?: unknown;
  readonly revision?: unknown;
  readonly at?: unknown;
}

/**
 * The version that the query of a GET asks for; null: the present one, whatever it is.
 * @throws QueryError
 */
export function versionWanted(query: unknown, clock: Clock): VersionWanted | null {
  const { minRevision, revision, at } = query as Query;
  if (minRevision === undefined && revision === undefined && at === undefined) return null;
  if ([minRevision, revision, at].filter((each) => each !== undefined).length > 1) {
    throw refused('revision', 'Give one of minRevision, revision and at: they name different versions');
  }
  if (at !== undefined) return { at: timeOf(single(query, 'at') ?? '', clock.now()) };
  const parameter = revision === undefined ? 'minRevision' : 'revision';
  return { [parameter]: revisionOf(parameter, single(query, parameter)) };
}

function revisionOf(parameter: string, text = ''): number {
  const revision = revisionIn(text);
  if (revision === null) throw refused(parameter, REVISION_MESSAGE.replace('$property', parameter));
  return revision;
}

function timeOf(text: string, nowMs: number): number {
  const at = DIGITS.test(text) ? Number(text) : isoTime(text);
  if (!(at <= nowMs + CLOCKS_MS)) throw refused('at', TIME_MESSAGE);
  return at;
}

/** NaN: it is none. */
function isoTime(text: string): number {
  const [, year, month, day] = TIME.exec(text) ?? [];
  // Date.parse takes the 31st of every month.
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number(day) >= 1 && Number(day) <= days ? Date.parse(text.toUpperCase()) : NaN;
}

function refused(parameter: string, message: string): QueryError {
  return new QueryError([{ parameter, message }]);
}
