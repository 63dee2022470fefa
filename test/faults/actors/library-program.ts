import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type * as Library from '../../../src/sdk/index.js';
import type * as Auth from '../../../src/sdk/auth/index.js';
import { digestOf, type Said } from '../model/commit.js';
import { shadowId } from '../model/history.js';
import { stateDigest } from '../model/library-history.js';

/**
 * The program around a watch or a cache of the client library, as an application would write it. It is started by
 * LibraryReader, tells what it handles in lines on its output, and is killed.
 */
export interface ProgramOptions {
  /** Folder of the library's build. */
  readonly library: string;
  readonly kind: 'watch' | 'initial watch' | 'cache' | 'kept cache';
  /** Its own; what it keeps is there. */
  readonly folder: string;
  /** Of all nodes; the next connection goes to the next one, from this one on. */
  readonly urls: readonly string[];
  readonly first: number;
  /** What it follows. */
  readonly things: string;
}

/** Milliseconds that the body of the loop takes for every second change: a process is killed in the midst of it. */
const BODY_MS = 2;
const SHOW_MS = 1_000;
const SAVE_MS = 1_000;
const URL = 'http://umbra.test';
const RECONNECT = { firstMs: 50, longestMs: 500 };
const HEARTBEAT_MS = 5_000;

const options = JSON.parse(process.argv[2]!) as ProgramOptions;
const { Umbra, UmbraError, fileCursor } = (await import(join(options.library, 'index.js'))) as typeof Library;
const { fileStore } = (await import(join(options.library, 'auth', 'index.js'))) as typeof Auth;

/** A pipe of Linux takes it at once, so it is told although the process is killed after it. */
const tell = (...line: readonly unknown[]): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

let turn = options.first;
const umbra = new Umbra({
  url: URL,
  fetch: (url, init) => fetch(options.urls[turn++ % options.urls.length] + url.slice(URL.length), init),
});

async function watch(isInitial: boolean): Promise<void> {
  const path = join(options.folder, 'cursor');
  const file = fileCursor(path);
  const cursor: Library.Cursor = {
    load: () => file.load(),
    save: async (text) => {
      await file.save(text);
      tell('saved', text);
    },
  };
  const onReload = (reason: string): void => tell('gone', reason);
  const more = { initial: isInitial, reconnect: RECONNECT, heartbeatMs: HEARTBEAT_MS, onReload };
  for (;;) {
    try {
      for await (const change of umbra.watch({ things: options.things }, { cursor, ...more })) await handle(change);
    } catch (error) {
      if (!(error instanceof UmbraError)) throw error;
      tell('gone', error.code);
      await rm(path, { force: true });
      tell('forgotten');
    }
  }
}

let handled = 0;

async function handle(change: Library.Change): Promise<void> {
  if (handled++ % 2 === 0) await pause(BODY_MS);
  const { thing, version, patch, delta, document, kind } = change;
  const { desired = {}, reported = {} } = document?.state ?? {};
  const shadow = shadowId(thing, change.shadow);
  if (change.isInitial) return tell('initial', shadow, stateDigest({ shadow, version, desired, reported, delta }));
  const about = { shadow, version, deleted: kind === 'deleted', token: change.clientToken ?? null };
  tell('change', digestOf({ ...about, patch: patch as Said['patch'], delta, desired, reported }), change.cursor);
}

/** What the events of a cache say, which has to be what it shows. */
function follow(cache: Library.ShadowCache): void {
  const told = new Map<string, Library.ShadowState>();
  const put = (after: Library.ShadowState): unknown => told.set(shadowId(after.thing, after.shadow), after);
  cache.on('add', put);
  cache.on('change', put);
  cache.on('remove', ({ thing, shadow }) => told.delete(shadowId(thing, shadow)));
  cache.on('resync', ({ reason }) => tell('resync', reason));
  setInterval(() => {
    const { state, revision, error } = cache.health;
    if (state === 'ended') throw new Error(`the cache has ended: ${error?.message}`);
    if (state === 'loading') return;
    const states = cache.list();
    const shown = states.map((each) => {
      const shadow = shadowId(each.thing, each.shadow);
      return [shadow, stateDigest({ ...each, shadow } as Parameters<typeof stateDigest>[0])];
    });
    const isTold =
      states.length === told.size &&
      states.every((each) => told.get(shadowId(each.thing, each.shadow))?.version === each.version);
    if (!isTold) tell('differs', revision);
    tell('shown', revision, state === 'live', shown);
  }, SHOW_MS);
}

switch (options.kind) {
  case 'watch':
  case 'initial watch':
    await watch(options.kind === 'initial watch');
    break;
  default: {
    const store = options.kind === 'kept cache' ? fileStore(options.folder) : undefined;
    follow(
      umbra.cache(
        { things: options.things },
        { store, saveMs: SAVE_MS, reconnect: RECONNECT, heartbeatMs: HEARTBEAT_MS },
      ),
    );
  }
}
