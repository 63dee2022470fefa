/**
 * The rule of file names as a function: whoever knows a route or a topic can name the file (docs/http.md).
 *
 * 1. Drop what only says where or which: `v1`, `api`, `$aws`, `.well-known`, `me`, parameters (`:thing`, `+`), the selector `name/{shadow}`,
 *    the sections `desired` and `reported` of a shadow, and `staged` of the runtime configuration.
 * 2. A trailing verb is the file: `…/shadow/watch` is `watch`, `ListNamedShadowsForThing` is `list`.
 * 3. Else the method is: GET of a plural is `list`, of anything else `get`; POST, PUT and PATCH are `update`.
 * 4. The last noun is the folder, in its singular where that is the folder's name. A route without a noun is about
 *    `things`.
 * 5. The transport is the suffix.
 * Of a method of gRPC, `umbra.v1.Shadows/Get`, the service is the noun. A lease is taken and renewed by `update`, and
 * ended by `delete`.
 * `test-event` is the verb `test`. Names that standards of OAuth fix stand for ours: `jwks.json` for `auth/jwks`, `oauth-authorization-server` for
 * `auth/metadata`.
 */
export function fileOf(route: Route, folders: ReadonlySet<string>): string {
  const path = route.path.replace(/^\/umbra\.v1\.(\w+)\//, (_, service: string) => `/${service.toLowerCase()}/`);
  const words = path.split('/').flatMap((word) => FIXED[word] ?? (word === '' ? [] : [word]));
  const plain = words.filter((word, i) => !isDropped(word, words[i - 1], words[i + 1]));
  const verb = verbOf(plain.at(-1));
  const nouns = verb === null ? plain : plain.slice(0, -1);
  const last = nouns.at(-1) ?? 'things';
  const folder = folders.has(last) ? last : last.replace(/s$/, '');
  const isPlural = route.path.endsWith(last) && last.endsWith('s');
  return `src/${folder}/${verb ?? byMethod(route.method, isPlural)}.${route.transport}.ts`;
}

export interface Route {
  readonly path: string;
  /** HTTP method; topics have none. */
  readonly method: string | null;
  readonly transport: 'http' | 'mqtt' | 'grpc';
}

const DROPPED = new Set(['v1', 'api', '$aws', '.well-known', 'me']);
const VERBS = new Set([
  ...['get', 'update', 'delete', 'list', 'watch', 'live', 'ready', 'login', 'refresh', 'revoke', 'commit', 'query'],
  ...['check', 'metrics', 'explain', 'promote', 'rollback', 'replay', 'token', 'introspect', 'jwks', 'metadata'],
  ...['test', 'status', 'shed'],
]);
const FIXED: Readonly<Record<string, readonly string[]>> = {
  'test-event': ['test'],
  ...{ Take: ['update'], Renew: ['update'], End: ['delete'] },
  'jwks.json': ['auth', 'jwks'],
  'oauth-authorization-server': ['auth', 'metadata'],
};

function isDropped(word: string, before: string | undefined, after: string | undefined): boolean {
  if (DROPPED.has(word) || isParameter(word)) return true;
  if (word === 'name') return after !== undefined && isParameter(after);
  if (word === 'staged') return before === 'runtime' && after === undefined;
  return (word === 'desired' || word === 'reported') && before === 'shadow' && after === undefined;
}

const isParameter = (word: string): boolean => word.startsWith(':') || word === '+';

function verbOf(word: string | undefined): string | null {
  // The first word of a name such as ListNamedShadowsForThing.
  const first = /^[A-Z]?[a-z]+(?=[A-Z]|$)/.exec(word ?? '')?.[0].toLowerCase();
  return first !== undefined && VERBS.has(first) ? first : null;
}

function byMethod(method: string | null, isPlural: boolean): string {
  if (method === 'GET') return isPlural ? 'list' : 'get';
  if (method === 'DELETE') return 'delete';
  return 'update';
}
