import { PROMISES } from '../validate/promises.js';
import { mutation, type Mutation } from './mutation.js';
import { RUNTIME } from './plan-names.js';

/** Bugs of the switch by which runtime configurations become live. */
export const RUNTIME_MUTATIONS: readonly Mutation[] = [
  mutation(
    'an answer to staging that may be about the document of somebody else',
    RUNTIME,
    [PROMISES.runtimeOwn],
    ['runtime/runtime-switch.js stage', 'if (!isOwn)', 'if (false)'],
  ),
  mutation(
    'a promotion that asks no node',
    RUNTIME,
    [PROMISES.runtimeAll],
    ['runtime/runtime-switch.js promote', 'obstacles(state, staged.version)', '[]'],
  ),
  mutation(
    'a node that keeps the first configuration that it has read',
    RUNTIME,
    [PROMISES.runtimeFollowed],
    ['runtime/runtime-follower.js #apply', 'text === this.#text', 'this.#text !== null'],
  ),
];
