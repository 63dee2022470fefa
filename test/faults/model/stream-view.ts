import type { Change } from './history.js';

/** What a stream is asked for, and what that means for the changes that a stream of everything tells. */
export interface StreamView {
  readonly name: string;
  readonly query: string;
  /** Of the shadows that it covers it tells every change; else only those that it shows. */
  readonly isWhole: boolean;
  covers(shadow: string): boolean;
  shows(change: Change): boolean;
}

const always = (): boolean => true;

export const EVERYTHING: StreamView = { name: 'all', query: '', isWhole: true, covers: always, shows: always };

const isDoor = (shadow: string): boolean => /\/(cfg|door)$/.test(shadow);

/** Filters by name and by content. The other filters of the service have tests of their own. */
export const VIEWS: readonly StreamView[] = [
  EVERYTHING,
  {
    name: 'named',
    query: 'shadow=cfg&shadow=do*',
    isWhole: true,
    covers: isDoor,
    shows: ({ shadow }) => isDoor(shadow),
  },
  { name: 'deletions', query: 'kind=deleted', isWhole: false, covers: always, shows: ({ deleted }) => deleted },
  {
    name: 'reported',
    query: 'path=/reported',
    isWhole: false,
    covers: always,
    // An update that empties both sections has no patch.
    shows: ({ deleted, patch }) => deleted || patch === null || patch.reported !== undefined,
  },
];
