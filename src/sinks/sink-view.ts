import type { AccessEntry } from '../directory/access-records.js';
import type { SinkRecord } from '../directory/records/sink-record.js';
import type { JsonObject } from '../document/shadow-document.js';
import type { SinkReport } from './sink-reports.js';
import type { SinkSecrets } from './sink-secrets.js';
import type { SinkView } from './sinks.openapi.js';

interface SinkState {
  /** What the nodes that send have to say. */
  readonly owners: readonly SinkReport[];
  /** Why this node does not run it; null: it does, or need not. */
  readonly fault: string | null;
  /** Settings that are shown this once. */
  readonly shown?: JsonObject;
}

/** What is shown of a sink; of secrets their names. No errors. */
export function sinkView(
  { record, fault }: AccessEntry<SinkRecord>,
  secrets: SinkSecrets,
  { owners, fault: nodeFault, shown = {} }: SinkState,
): SinkView {
  const { name, kind, settings, isPaused, pauseReason, createdAtMs } = record;
  const { things, shadows, kinds, paths, delta } = record.filter;
  const listed = (values: readonly string[] | null): string[] | null => (values === null ? null : [...values]);
  return {
    sink: name,
    kind,
    settings: { ...(JSON.parse(settings) as JsonObject), ...shown },
    secrets: namesOf(record, secrets),
    filter: { things: listed(things), shadows: listed(shadows), kinds: listed(kinds), paths: listed(paths), delta },
    paused: isPaused,
    pauseReason,
    createdAt: new Date(createdAtMs).toISOString(),
    fault: fault ?? nodeFault,
    owners: owners.map((owner) => ({ ...owner, shards: [...owner.shards] })).sort(byNode),
  };
}

const byNode = (a: { readonly node: string }, b: { readonly node: string }): number => (a.node < b.node ? -1 : 1);

function namesOf(record: SinkRecord, secrets: SinkSecrets): string[] {
  try {
    return Object.keys(secrets.read(record)).sort();
  } catch {
    // Sealed under another master key; the node that cannot open the sink says so.
    return [];
  }
}
