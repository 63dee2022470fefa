import type { SinkFilter } from '../directory/records/sink-record.js';
import { ServiceError } from '../errors/service-error.js';
import {
  contentFilter,
  FORMS,
  KINDS,
  keyFilter,
  MAX_PATH,
  presenceFilter,
  uselessBeside,
  type EventKind,
  type WatchFilter,
} from '../watch/watch-filter.js';
import type { ChangeFilter } from './sink-runner.js';

const isKind = (text: string): text is EventKind => (KINDS as readonly string[]).includes(text);

const RULES: readonly [keyof SinkFilter, (text: string) => boolean, string][] = [
  ['things', (text) => FORMS.thing.test(text), 'names of things, or beginnings of names with * behind them'],
  [
    'shadows',
    (text) => FORMS.shadow.test(text),
    'names of shadows, beginnings of names with * behind them, or .classic',
  ],
  ['kinds', isKind, `of ${KINDS.join(', ')}`],
  [
    'paths',
    (text) => text.length <= MAX_PATH && FORMS.path.test(text),
    'JSON Pointers into the state, such as /desired/led',
  ],
];

/**
 * Refuses what no change could ever match as it was meant.
 * @throws ServiceError invalidRequest
 */
export function checkFilter(filter: SinkFilter): void {
  for (const [member, fits, words] of RULES) {
    const values = filter[member] as readonly string[] | null;
    if (values === null || (values.length > 0 && values.every(fits))) continue;
    throw new ServiceError('invalidRequest', `filter.${member} must be null, or a list of ${words}`);
  }
  const useless = uselessBeside(watchFilterOf(filter));
  if (useless !== null)
    throw new ServiceError('invalidRequest', `filter.${useless} is about documents, and the kind presence has none`);
}

/** The filter as streams have it. No errors. */
export function watchFilterOf({ things, shadows, kinds, paths, delta }: SinkFilter): WatchFilter {
  return {
    ...(things && { things }),
    ...(shadows && { shadows }),
    ...(kinds && { kinds: kinds.filter(isKind) }),
    ...(paths && { paths }),
    ...(delta && { delta }),
  };
}

/** No errors. */
export function changeFilterOf(filter: WatchFilter): ChangeFilter {
  return { key: keyFilter(filter), content: contentFilter(filter), presence: presenceFilter(filter) };
}
