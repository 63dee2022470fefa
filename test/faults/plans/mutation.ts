import type { PromiseName } from '../validate/promises.js';
import type { Edit } from './edits.js';

/** One bug on purpose, and what the checker must say of it. */
export interface Mutation {
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly scenario: string;
  /** One of these is enough: some bugs break several promises, and which is seen first is chance. */
  readonly breaks: readonly PromiseName[];
}

export function mutation(
  name: string,
  scenario: string,
  breaks: readonly PromiseName[],
  ...edits: readonly (readonly [place: string, find: string, put: string])[]
): Mutation {
  const places = edits.map(([place, find, put]): Edit => {
    const [file = '', within] = place.split(' ');
    return { file, within: within ?? null, find, put };
  });
  return { name, scenario, breaks, edits: places };
}
