import { documentOf, RuntimeFault, type RuntimeDocument } from './runtime-document.js';

/** Path of the runtime configuration below the cluster's own keys. */
export const RUNTIME_PATH = 'runtime/';
export const LIVE = 'live';
export const STAGED = 'staged';
/** Begins the keys of those that were live, by version. */
export const KEPT = 'kept/';
/** Begins the keys by which nodes say how they find them. */
export const NODES = 'nodes/';

/** The form of records. Another one says what this version cannot know. */
const FORMAT = 1;

/** A document as it is kept in etcd. */
export interface RuntimeRecord {
  /** Of the document: the next one for each that is staged. */
  readonly version: number;
  readonly document: RuntimeDocument;
  /** Id of the principal that staged it. */
  readonly stagedBy: string;
  /** ISO 8601. */
  readonly stagedAt: string;
  /** Version whose document it has again; null: it has one of its own. */
  readonly restores: number | null;
  /** Id of the principal that promoted it; null: nobody yet. */
  readonly promotedBy: string | null;
  readonly promotedAt: string | null;
}

/** How a node finds a record. */
export interface Finding {
  readonly version: number;
  /** Why the node does not take it; null: it does. */
  readonly fault: string | null;
}

/** What a node says of itself under its lease. */
export interface NodeWord {
  /** Of the software. */
  readonly software: string;
  readonly staged: Finding | null;
  readonly live: Finding | null;
  /** Version of the document that the node follows; null: none, but its environment. */
  readonly inForce: number | null;
}

/** No errors. */
export function encodeRecord(record: RuntimeRecord): string {
  return JSON.stringify({ format: FORMAT, ...record });
}

/** @throws RuntimeFault for a record that this version cannot read, or a document that it does not take */
export function decodeRecord(text: string): RuntimeRecord {
  const value = objectIn(text);
  const { format, version, document, stagedBy, stagedAt, restores, promotedBy, promotedAt } = value ?? {};
  if (format !== FORMAT || !isVersion(version))
    throw new RuntimeFault([
      `it has format ${JSON.stringify(format ?? null)}; this version reads format ${FORMAT} only`,
    ]);
  return {
    version,
    document: documentOf(document),
    stagedBy: String(stagedBy),
    stagedAt: String(stagedAt),
    restores: isVersion(restores) ? restores : null,
    promotedBy: typeof promotedBy === 'string' ? promotedBy : null,
    promotedAt: typeof promotedAt === 'string' ? promotedAt : null,
  };
}

/** The version of a record, whatever else it has; 0: it has none that can be read. No errors. */
export function versionIn(text: string): number {
  const version = objectIn(text)?.['version'];
  return isVersion(version) ? version : 0;
}

/** @returns null for what says nothing to this version. No errors. */
export function readWord(text: string): NodeWord | null {
  const value = objectIn(text);
  if (value === null) return null;
  const { software, staged, live, inForce } = value;
  return {
    software: typeof software === 'string' ? software : 'unknown',
    staged: readFinding(staged),
    live: readFinding(live),
    inForce: isVersion(inForce) ? inForce : null,
  };
}

function readFinding(value: unknown): Finding | null {
  const { version, fault } = (value ?? {}) as Record<string, unknown>;
  if (!isVersion(version)) return null;
  return { version, fault: typeof fault === 'string' ? fault : null };
}

const isVersion = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
