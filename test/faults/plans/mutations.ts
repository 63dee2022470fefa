import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtMain } from '../../harness/build.js';
import { PROMISES, type PromiseName } from '../validate/promises.js';
import { say, type JsonLines } from '../report.js';
import { RESTORES, runRestore } from './restore.js';
import { runScenario, type Result } from '../run-scenario.js';
import { MATRIX } from './scenarios.js';

interface Edit {
  /** Below dist/. */
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** One bug on purpose, and what the checker must say of it. */
interface Mutation {
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly scenario: string;
  /** One of these is enough: some bugs break several promises, and which is seen first is chance. */
  readonly breaks: readonly PromiseName[];
}

/** Runs in which chance may hide a bug. */
const ATTEMPTS = 3;

function mutation(
  name: string,
  scenario: string,
  breaks: readonly PromiseName[],
  ...edits: readonly (readonly [file: string, find: string, put: string])[]
): Mutation {
  return { name, scenario, breaks, edits: edits.map(([file, find, put]) => ({ file, find, put })) };
}

const UPDATE = 'this.update.run(request.key, patch, request.principal, request);';
const ACCEPTED = 'this.accepted(record, state, base);';

export const MUTATIONS: readonly Mutation[] = [
  mutation(
    'PUBACK before the commit',
    'etcd swallows everything',
    [PROMISES.lost],
    [
      'shadow/update.mqtt.js',
      `const { position } = await ${UPDATE}`,
      `const position = { revision: 0 }; void ${UPDATE.replace(/;$/, '')}.catch(() => undefined);`,
    ],
  ),
  mutation(
    'a bare put instead of compare-and-set',
    'calm, 3 nodes',
    [PROMISES.lost, PROMISES.versions, PROMISES.feed],
    [
      'store/etcd/client/nested-txn.js',
      "compare: [{ result: 'Equal', target: 'Mod', key, mod_revision: String(put.guard) }]",
      'compare: []',
    ],
  ),
  mutation(
    'a retry with a fresh guard after doubt',
    'responses lost after commit',
    [PROMISES.twice],
    ['store/etcd/write/shadow-writer.js', "'storage-full' || outcome.doubted)", "'storage-full')"],
    // The watch would have settled it before.
    ['store/etcd/open-etcd.js', 'commit.confirm(key, value, at);', ''],
  ),
  mutation(
    'a feed cursor past what was delivered',
    'responses lost after commit',
    [PROMISES.feed],
    ['store/etcd/feed/etcd-shadow-feed.js', 'follower.cursor = revision;', 'follower.cursor = revision + 2;'],
  ),
  mutation(
    'a dropped batch',
    'calm, 1 node',
    [PROMISES.feed],
    [
      'store/etcd/feed/etcd-shadow-feed.js',
      'yield { position: { cluster, epoch, revision }, records };',
      'if (revision % 40 !== 0) yield { position: { cluster, epoch, revision }, records };',
    ],
  ),
  mutation(
    'serializable reads on whatever member answers',
    'leader partitioned from its peers',
    [PROMISES.reads],
    [
      'store/etcd/read/read-batcher.js',
      'ranges.push({ key: Buffer.from(key),',
      'ranges.push({ serializable: true, key: Buffer.from(key),',
    ],
    ['store/etcd/client/etcd-client.js', "metadata.set('hasleader', 'true');", ''],
  ),
  mutation(
    'a get from the cache of the node',
    'Umbra node stopped',
    [PROMISES.reads],
    [
      'store/etcd/etcd-shadow-store.js',
      'async get(key, { deadline }) {',
      `async get(key, { deadline }) {
        const cached = this.parts.writer.parts.cache.get(this.format(key));
        if (cached?.record) return { key, state: cached.record.state, change: cached.record.change, position: { ...this.context.history, revision: cached.revision } };`,
    ],
  ),
  mutation(
    'accepted before delta',
    'calm, 1 node',
    [PROMISES.messages],
    [
      'mqtt/built-in/publisher.js',
      "if (this.wants(base, 'update/delta')) {",
      `${ACCEPTED}\n        if (this.wants(base, 'update/delta')) {`,
    ],
    ['mqtt/built-in/publisher.js', `return ${ACCEPTED}`, 'return;'],
    [
      'mqtt/built-in/publisher.js',
      `previous);\n        ${ACCEPTED}\n    }\n    documents(`,
      'previous);\n    }\n    documents(',
    ],
  ),
  mutation(
    'a delta that is not the difference',
    'calm, 1 node',
    [PROMISES.delta],
    [
      'mqtt/built-in/publisher.js',
      'const delta = deltaMessage(state, change);',
      'const delta = deltaMessage({ ...state, desired: { ...state.desired, target: -1 } }, change);',
    ],
  ),
  mutation(
    'no delta',
    'calm, 1 node',
    [PROMISES.convergence],
    ['mqtt/built-in/publisher.js', "if (this.wants(base, 'update/delta')) {", 'if (false) {'],
  ),
  mutation(
    'a merge that replaces objects',
    'calm, 1 node',
    [PROMISES.document],
    ['document/merge.js', 'if (isObject(current))\n        return mergeObject(current, change);', ''],
  ),
  mutation(
    'ready whatever happens',
    'etcd swallows everything',
    [PROMISES.ready],
    ['health/health-registry.js', 'ready: parts.every(([, { ok }]) => ok)', 'ready: true'],
  ),
  mutation(
    'never ready again',
    'etcd swallows everything',
    [PROMISES.ready],
    [
      'health/health-registry.js',
      'return { ready: parts.every(([, { ok }]) => ok)',
      'const first = this.wasReady; const now = parts.every(([, { ok }]) => ok); this.wasReady ||= now; this.bad ||= first && !now;\n        return { ready: now && !this.bad',
    ],
  ),
  mutation(
    'rejected although the outcome is unknown',
    'etcd never answers',
    [PROMISES.rejected],
    [
      'mqtt/mqtt-error.filter.js',
      "return { kind: 'unknown' };\n            }",
      "return { kind: 'rejected', error: exception };\n            }",
    ],
  ),
  mutation(
    'no bound for what waits for a subscriber',
    'devices that never read',
    [PROMISES.bounded],
    ['mqtt/built-in/gates/forward-gate.js', 'if (waiting > this.maxBacklogBytes) {', 'if (false) {'],
    ['mqtt/built-in/broker.js', 'drainTimeout: mqtt.drainTimeoutMs', 'drainTimeout: 0'],
  ),
  mutation(
    'a stream that resumes at the present',
    'SIGTERM during load',
    [PROMISES.feed],
    ['shadow/watch-stream.js', '...(cursor !== undefined && { cursor }), ', ''],
  ),
  mutation(
    'a cursor that is always gone',
    'SIGTERM during load',
    [PROMISES.resume],
    ['shadow/watch-stream.js', 'await refuseIfGone(subscription, first);', "throw new ServiceError('cursorGone');"],
  ),
  mutation(
    'SIGTERM ends at once',
    'SIGTERM during load',
    [PROMISES.sigterm],
    ['main.js', 'stopping = true;', 'process.exit(1);'],
  ),
  mutation(
    'a lost watch ends the process',
    'etcd refuses connections',
    [PROMISES.up],
    [
      'store/etcd/feed/etcd-shadow-feed.js',
      'follower.ok = false;',
      "follower.ok = false; setImmediate(() => { throw new Error('mutation'); });",
    ],
  ),
  mutation(
    'no refusal when the storage is full',
    'quota alarm',
    [PROMISES.storage],
    ['store/etcd/write/quota-guard.js', 'if (this.#use.full)\n            throw', 'if (false)\n            throw'],
  ),
  mutation(
    'a delete that only answers',
    'calm, 1 node',
    [PROMISES.deleted],
    [
      'shadow/delete.http.js',
      'await this.shadow.run(key, token, principal, options, preconditionOf(conditions));',
      'await this.shadow.store.get(key, options).then((found) => ({ state: { version: 0, ...found?.state }, change: { at: Date.now(), clientToken: token } }));',
    ],
  ),
  mutation(
    'a deleted shadow that can still be read',
    'calm, 1 node',
    [PROMISES.deleted],
    ['shadow/get.js', 'if (record === null || isTombstone(record.state))', 'if (record === null)'],
    [
      'shadow/get.js',
      'return { ...record, state: record.state };',
      'return { ...record, state: { metadata: {}, ...record.state } };',
    ],
  ),
  mutation(
    'a shadow that begins at 1 again',
    'calm, 1 node',
    [PROMISES.versions, PROMISES.feed],
    ['document/apply-update.js', 'TOMBSTONE_SECONDS ? current.version + 1 : null', 'TOMBSTONE_SECONDS ? null : null'],
  ),
  mutation(
    'a list with what was deleted',
    'calm, 1 node',
    [PROMISES.lists],
    ['store/etcd/read/shadow-lister.js', "live: lease === '0'", 'live: true'],
  ),
  mutation(
    'a list that ends with its first page',
    'calm, 1 node',
    [PROMISES.lists],
    ['store/etcd/read/shadow-lister.js', 'return more && last != null ?', 'return false ?'],
  ),
  mutation(
    'a restored backup goes unnoticed',
    'restore from an older backup',
    [PROMISES.restored],
    ['store/etcd/feed/restore-detector.js', 'Number(header.revision) < highest', 'false'],
    ['store/etcd/feed/etcd-shadow-feed.js', 'if (!known)', 'if (false)'],
  ),
];

/** Runs each mutation, or one, and says which were caught. */
export async function runMutations(only: string | null, seed: number, json: JsonLines): Promise<boolean> {
  const chosen = MUTATIONS.filter(({ name }) => only === null || only.split(',').some((part) => name.includes(part)));
  // All at once: a text that has changed must not come up after minutes.
  for (const { name, edits } of chosen) for (const edit of edits) await checkText(name, edit);
  let missed = 0;
  for (const each of chosen) {
    const { caughtBy, attempts } = await attempt(each, seed);
    if (caughtBy === null) missed++;
    json.write({ mutation: each.name, scenario: each.scenario, caughtBy, attempts });
    say(
      `${caughtBy === null ? 'MISSED' : 'caught'} ${each.name} (${each.scenario}, run ${attempts}): ${caughtBy ?? each.breaks.join(' or ')}`,
    );
  }
  say(`${chosen.length - missed} of ${chosen.length} mutations caught`);
  json.write({ caught: chosen.length - missed, of: chosen.length });
  return missed === 0;
}

async function attempt(each: Mutation, seed: number): Promise<{ caughtBy: string | null; attempts: number }> {
  const main = await mutate(each);
  try {
    for (let attempts = 1; attempts <= ATTEMPTS; attempts++) {
      const { violations, skipped } = await run(each.scenario, seed + attempts, main);
      if (skipped !== null) return { caughtBy: null, attempts: 0 };
      const found = violations.find(({ promise }) => each.breaks.some((broken) => broken === promise));
      if (found) return { caughtBy: `${found.promise}: ${found.text.slice(0, 200)}`, attempts };
    }
    return { caughtBy: null, attempts: ATTEMPTS };
  } finally {
    await rm(join(main, '..', '..'), { recursive: true, force: true });
  }
}

async function run(name: string, seed: number, main: string): Promise<Result> {
  if (RESTORES.includes(name)) return runRestore(name, seed, main);
  const scenario = MATRIX.find((one) => one.name === name);
  if (!scenario) throw new Error(`no scenario ${name}`);
  return runScenario(scenario, { seed, main });
}

/** @throws Error when the text to be replaced is not in the build exactly once */
async function checkText(name: string, { file, find }: Edit): Promise<void> {
  const text = await readFile(join(await builtMain(), '..', file), 'utf8');
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`mutation "${name}": ${count} times in ${file}: ${find}`);
}

/** A copy of the build with the bug in it. The service itself has no switch for any of this. */
async function mutate({ name, edits }: Mutation): Promise<string> {
  const built = join(await builtMain(), '..');
  // Below node_modules, so that packages are found from there.
  const folder = join(process.cwd(), 'node_modules', '.cache', 'umbra-mutations', name.replaceAll(/\W+/g, '-'));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await cp(built, join(folder, 'dist'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }\n');
  for (const edit of edits) {
    const path = join(folder, 'dist', edit.file);
    // What an earlier edit of the same file has left.
    const text = await readFile(path, 'utf8');
    await writeFile(
      path,
      text.replace(edit.find, () => edit.put),
    );
  }
  return join(folder, 'dist', 'main.js');
}
