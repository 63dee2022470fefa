import { PROMISES } from '../validate/promises.js';
import { mutation, type Mutation } from './mutation.js';
import { ROLLOUT } from './plan-names.js';

/** Bugs of drains and of evening out. */
export const ROLLOUT_MUTATIONS: readonly Mutation[] = [
  mutation(
    'a drain that closes all connections at once',
    ROLLOUT,
    [PROMISES.spread],
    ['resilience/evenly.js due', 'Math.floor(this.#credit)', '1_000_000'],
  ),
  mutation(
    'a node that is asked to shed connections and keeps them',
    ROLLOUT,
    [PROMISES.even],
    ['mqtt/built-in/connections/shedding.js someOf', 'items.slice(0, taken)', '[]'],
  ),
];
