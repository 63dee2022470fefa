import type { Runtime } from './runtime.openapi.js';
import type { Finding } from './runtime-record.js';
import { pendingIn, type Held, type RuntimeState } from './runtime-state.js';

/** The runtime configuration as callers see it. No errors. */
export function runtimeView(state: RuntimeState): Runtime {
  return {
    live: shown(state.live),
    staged: shown(pendingIn(state)),
    nodes: state.nodes.map((node) => {
      const word = state.said.get(node)?.word;
      return {
        node,
        software: word?.software ?? null,
        inForce: word?.inForce ?? null,
        staged: verdict(word?.staged),
        live: verdict(word?.live),
      };
    }),
    history: state.kept.flatMap((each) => shown(each) ?? []),
  };
}

type Version = NonNullable<Runtime['live']>;

function shown(held: Held | null): Version | null {
  if (held === null) return null;
  const { record, version } = held;
  if (record === null) return { ...UNREADABLE, version };
  const { document, stagedBy, stagedAt, restores, promotedBy, promotedAt } = record;
  return { version, document, stagedBy, stagedAt, restores, promotedBy, promotedAt };
}

/** Of another version of the service. */
const UNREADABLE = {
  ...{ document: null, stagedBy: null, stagedAt: null },
  ...{ restores: null, promotedBy: null, promotedAt: null },
};

const verdict = (finding: Finding | null | undefined) =>
  finding ? { version: finding.version, accepted: finding.fault === null, fault: finding.fault } : null;
