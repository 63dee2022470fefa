import type { Umbra } from '../../sdk/index.js';
import { CliError, EXIT, isUmbraError } from '../exit-code.js';
import type { Session } from '../session.js';
import { askAll } from './prometheus.js';
import { readyNodes } from './queries.js';

/** Milliseconds for one look: it is taken again when it fails. */
const LOOK_MS = 5_000;

/** A node that lives, as the service says it, and Prometheus if there is one. */
export interface LiveNode {
  readonly node: string;
  /** null: it says none. */
  readonly version: string | null;
  /** Why it cannot serve clients; null: it can, as far as can be told. */
  readonly trouble: string | null;
}

/** What a look has found; a text: why nothing was found. */
export type Look = readonly LiveNode[] | string;

interface Nodes {
  readonly nodes: readonly { readonly node: string; readonly software: string | null; readonly draining: boolean }[];
}

interface Status {
  readonly node: string;
  readonly ready: boolean;
}

export interface Source {
  readonly prometheus?: string;
  readonly job: string;
}

/**
 * Looks at the nodes that live. Readiness is known of all of them from Prometheus alone, else of the one that answers.
 * A version that fails may answer anything, so no answer ends what was begun.
 * @throws CliError if the command is interrupted
 */
export async function lookAt(session: Session, umbra: Umbra, source: Source, limitMs: number): Promise<Look> {
  const { around } = session;
  const ms = Math.ceil(Math.min(limitMs, LOOK_MS));
  const signal = AbortSignal.any([around.signal, AbortSignal.timeout(ms)]);
  try {
    const { nodes } = JSON.parse((await umbra.call({ path: '/v1/nodes', signal })).text) as Nodes;
    const { prometheus, job } = source;
    const troubles =
      prometheus === undefined
        ? ofStatus(JSON.parse((await umbra.call({ path: '/health/status', signal })).text) as Status)
        : await ofPrometheus(session, prometheus, job, ms);
    return nodes.map(({ node, software, draining }) => ({
      ...{ node, version: software },
      trouble: draining ? 'is shutting down' : troubles(node, software),
    }));
  } catch (error) {
    if (around.signal.aborted) throw new CliError(EXIT.interrupted, 'interrupted');
    if (signal.aborted) return `no answer within ${ms} ms`;
    return around.secrets.masked((error as Error).message);
  }
}

/**
 * As `lookAt`, before anything is begun.
 * @throws UmbraError if the service refuses to say it: it would do so afterwards, too
 */
export async function firstLook(session: Session, umbra: Umbra, source: Source, limitMs: number): Promise<Look> {
  try {
    const signal = AbortSignal.any([session.around.signal, AbortSignal.timeout(limitMs)]);
    await umbra.call({ path: '/v1/nodes', signal });
  } catch (error) {
    const status = isUmbraError(error) ? (error.status ?? 0) : 0;
    if (status >= 400 && status < 500 && status !== 429) throw error;
  }
  return lookAt(session, umbra, source, limitMs);
}

type Troubles = (node: string, version: string | null) => string | null;

const ofStatus =
  ({ node: answering, ready }: Status): Troubles =>
  (node) =>
    node === answering && !ready ? 'is not ready' : null;

/** Both must say the same version: what Prometheus has seen last may be from before. */
async function ofPrometheus(session: Session, server: string, job: string, ms: number): Promise<Troubles> {
  try {
    const seen = await askAll(session, server, readyNodes(job), ms);
    return (node, version) => {
      const found = seen.find(({ labels }) => labels['node'] === node && labels['version'] === version);
      if (found === undefined) return 'has not been seen by Prometheus with this version yet';
      return found.value === 1 ? null : 'is not ready';
    };
  } catch (error) {
    // It may come back. What was begun goes on.
    const reason = `may be ready or not: ${(error as Error).message}`;
    return () => reason;
  }
}

/** Why the service is not at this version with so many nodes; null: it is. No errors. */
export function missingIn(look: Look, version: string, least: number): string | null {
  if (typeof look === 'string') return `the service does not answer: ${look}`;
  const wrong = look.flatMap((each) => {
    if (each.version !== version) return [`${each.node} runs ${each.version ?? 'a version that it does not say'}`];
    return each.trouble === null ? [] : [`${each.node} ${each.trouble}`];
  });
  if (look.length < least) wrong.push(`${look.length} of ${least} nodes live`);
  return wrong.length === 0 ? null : wrong.join('; ');
}

/** Whether all nodes that live run a version, ready or not. No errors. */
export const areAllAt = (look: Look, version: string): boolean =>
  typeof look !== 'string' && look.length > 0 && look.every((each) => each.version === version);
