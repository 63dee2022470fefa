import type { Difference } from './compare.js';
import type { About } from './conversation.js';

/** Why a difference from mosquitto is right: a clause of the standard, or a line of docs/topics.md. */
export interface Explanation {
  readonly name: string;
  readonly clause: string;
  readonly explains: (difference: Difference, about: About) => boolean;
}
