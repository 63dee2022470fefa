import { PROMISES } from '../validate/promises.js';
import { mutation, type Mutation } from './mutation.js';

/** Doors that open after 3 s, whether the records of access are there or not. */
const OPEN_EARLY = [
  ['run-node.js', 'await running.name.claim();', 'void running.name.claim();'],
  [
    'access-control.js start',
    'await this.directory.ready;',
    'await Promise.race([this.directory.ready, new Promise((done) => setTimeout(done, 3_000))]);',
  ],
  ['access-control.js start', 'await this.acceptance.start();', 'void this.acceptance.start().catch(() => undefined);'],
  [
    'access-control.js start',
    'await firstAdministrator(',
    '!this.directory.isReady ? null : await firstAdministrator(',
  ],
] as const;

/** What only the scenarios of access.ts catch. */
export const ACCESS_MUTATIONS: readonly Mutation[] = [
  mutation(
    'decisions that are remembered past a change of the rules',
    'access: a node starts without etcd',
    [PROMISES.withdrawn],
    ['policies/policy-authorizer.js #knownOf', 'before?.generation === generation', 'before !== undefined'],
  ),
  mutation(
    'deleted records of access that stay',
    'access: a node starts without etcd',
    [PROMISES.withdrawn],
    [
      'directory/access-directory.js change',
      'const { key, revision } = update;',
      'const { key, revision } = update; if (update.value === null) return;',
    ],
  ),
  // The second edit takes away what would catch it: whether a key is there is also asked with each decision.
  mutation(
    'a withdrawn key that stays in the memory of checked keys',
    'access: a node starts without etcd',
    [PROMISES.withdrawn],
    ['auth/secret-key-credentials.js identify', 'held.generation === this.directory.generation', 'true'],
    [
      'directory/standing.js stands',
      'return keyStands(directory, principal, credential.slice(KEY_CREDENTIAL.length), now);',
      'return true;',
    ],
  ),
  mutation(
    'a node that lets everybody in before it has the rules',
    'access: a node starts without etcd',
    [PROMISES.closed, PROMISES.newest],
    ...OPEN_EARLY,
    [
      'auth/secret-key-credentials.js #check',
      'const id = secretKeyId(shown);',
      "const id = secretKeyId(shown); if (!this.directory.isReady) return { id: 'anybody', tenant: 'default' };",
    ],
    [
      'policies/policy-authorizer.js allows',
      'if (!covers(principal.scopes, action)) return false;',
      'if (!this.directory.isReady) return true; if (!covers(principal.scopes, action)) return false;',
    ],
  ),
  mutation(
    'a node that opens its doors before it has the rules',
    'access: a node starts without etcd',
    [PROMISES.goesOn],
    ...OPEN_EARLY,
  ),
  mutation(
    'a node that skips the changes of the rules that it missed',
    'access: a node cut off',
    [PROMISES.withdrawn],
    [
      'store/etcd/key-watch/etcd-key-watch.js #follow',
      'this.#session = await this.#open(host, channel, place);',
      'this.#session = await this.#open(host, channel, this.isBack ? head : place); this.isBack = true;',
    ],
  ),
  mutation(
    'a node that refuses everybody while etcd is away',
    'access: a node cut off',
    [PROMISES.goesOn],
    [
      'policies/policy-authorizer.js allows',
      'if (!covers(principal.scopes, action)) return false;',
      'if (!covers(principal.scopes, action) || (this.directory.staleMs ?? 0) > 9_000) return false;',
    ],
  ),
  mutation(
    'rules of any age that count as new',
    'access: a node cut off',
    [PROMISES.age],
    ['directory/access-directory.js health', 'if (staleMs <= STALE_MS)', 'if (true)'],
  ),
];
