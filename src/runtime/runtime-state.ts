import type { StoredKey } from '../store/cluster-keys.js';
import {
  decodeRecord,
  KEPT,
  LIVE,
  NODES,
  readWord,
  STAGED,
  versionIn,
  type NodeWord,
  type RuntimeRecord,
} from './runtime-record.js';

/** Why a node may say nothing. It has its name before it follows anything, and a little longer. */
const SILENT = 'it starts or ends just now, or its version or its settings know no runtime configuration';

/** A record with the revision of its key. */
export interface Held {
  /** Null: this node cannot read it. */
  readonly record: RuntimeRecord | null;
  readonly version: number;
  readonly revision: number;
}

/** All of the runtime configuration, as of one moment. */
export interface RuntimeState {
  readonly live: Held | null;
  readonly staged: Held | null;
  /** Those that were live, or are, the latest first. */
  readonly kept: readonly Held[];
  /** By node, with the revision of its key. */
  readonly said: ReadonlyMap<string, { readonly word: NodeWord; readonly revision: number }>;
  /** All nodes that live, in the order of their names. */
  readonly nodes: readonly string[];
}

/**
 * @param keys below RUNTIME_PATH
 * @param names of nodes that live, whether or not they say something. No errors.
 */
export function stateOf(keys: ReadonlyMap<string, StoredKey>, names: Iterable<string>): RuntimeState {
  const said: [string, { word: NodeWord; revision: number }][] = [];
  const kept: Held[] = [];
  for (const [key, stored] of keys) {
    if (key.startsWith(KEPT)) kept.push(heldOf(stored));
    if (!key.startsWith(NODES)) continue;
    const word = readWord(stored.value);
    if (word) said.push([key.slice(NODES.length), { word, revision: stored.revision }]);
  }
  const [live, staged] = [LIVE, STAGED].map((key) => keys.get(key));
  const all = new Map(said);
  return {
    live: live ? heldOf(live) : null,
    staged: staged ? heldOf(staged) : null,
    kept: kept.sort((a, b) => b.version - a.version),
    said: all,
    nodes: [...new Set([...names, ...all.keys()])].sort(),
  };
}

function heldOf({ value, revision }: StoredKey): Held {
  const version = versionIn(value);
  try {
    return { record: decodeRecord(value), version, revision };
  } catch {
    return { record: null, version, revision };
  }
}

/** The staged record that waits for its promotion; null: there is none. No errors. */
export function pendingIn({ live, staged }: RuntimeState): Held | null {
  return staged && staged.version > (live?.version ?? 0) ? staged : null;
}

/** The version of the next record: higher than any before. No errors. */
export function nextVersion({ live, staged, kept }: RuntimeState): number {
  return Math.max(0, ...[live, staged, ...kept].map((each) => each?.version ?? 0)) + 1;
}

/** Whether a node has not looked at a version yet. No errors. */
export function isOpen({ nodes, said }: RuntimeState, version: number): boolean {
  return nodes.some((node) => said.get(node)?.word.staged?.version !== version);
}

/** Why a version cannot be promoted: what each node that does not take it says. Those that refuse it come first. No errors. */
export function obstacles({ nodes, said }: RuntimeState, version: number): string[] {
  const refused: string[] = [];
  const open: string[] = [];
  for (const node of nodes) {
    const word = said.get(node)?.word;
    if (!word) open.push(`node ${node} says nothing of it: ${SILENT}`);
    else if (word.staged?.version !== version) open.push(`node ${node} has not looked at it yet`);
    else if (word.staged.fault !== null) refused.push(`node ${node} refuses it: ${word.staged.fault}`);
  }
  return [...refused, ...open];
}
