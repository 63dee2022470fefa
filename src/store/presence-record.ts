import { DISCONNECT_REASONS, type DisconnectReason } from './disconnect-reasons.js';

/**
 * Path of the keys of presence below the cluster's own keys. The tilde puts it behind all others there, next to the
 * shadows: one watch has both in the order of their revisions (store/etcd/keys.ts).
 */
export const PRESENCE_PATH = '~presence/';
/** Path of the records below the keys of presence. */
export const RECORDS = 'records/';

/** What etcd keeps of a client: one key for each client identifier of a tenant. Times are epoch milliseconds. */
export interface PresenceRecord {
  readonly connected: boolean;
  /** Since when it is so. */
  readonly since: number;
  /** When the client was last heard, as far as was known when this was written. */
  readonly lastSeen: number;
  /** The life of a node that has, or had, the connection. */
  readonly instance: string;
  /** Id of the connection. */
  readonly session: string;
  readonly principal: string;
  /** IP address of the client. */
  readonly address: string;
  /** The revision at which the connection was recorded; null: that of this record. */
  readonly epoch: number | null;
  /** The last end of a connection that is known; null: of none. */
  readonly ended: Ended | null;
}

export interface Ended {
  readonly reason: DisconnectReason;
  readonly at: number;
}

/** What is stored under a key. */
export interface Stored {
  /** null: it is no record of presence. */
  readonly record: PresenceRecord | null;
  readonly revision: number;
}

/** A client, as records name it. */
export interface ClientName {
  readonly tenant: string;
  readonly clientId: string;
}

/** Rises with every connection of a client, on whatever node: etcd counts. No errors. */
export const epochOf = (record: PresenceRecord, revision: number): number => record.epoch ?? revision;

/** Characters behind the name of a node in its instance: a dot and eight digits (cluster/instances.ts). */
const LIFE = 9;
/** The name of the node. No errors. */
export const nodeOf = ({ instance }: PresenceRecord): string => instance.slice(0, -LIFE);

/**
 * `{tenant}/{client identifier}`. An identifier may have any characters: slashes would make levels, and a tilde could
 * make the key of a progress marker (store/etcd/keys.ts). No errors.
 */
export const recordKey = ({ tenant, clientId }: ClientName): string =>
  `${tenant}/${encodeURIComponent(clientId).replaceAll('~', '%7E')}`;

/** The tenant of the client that a key names; empty: it names none. No errors. */
export const tenantOf = (key: string): string => key.slice(0, Math.max(0, key.indexOf('/')));

/** The client that a key names; null: it names none. No errors. */
export function parseRecordKey(key: string): ClientName | null {
  const at = key.indexOf('/');
  if (at < 1) return null;
  try {
    return { tenant: key.slice(0, at), clientId: decodeURIComponent(key.slice(at + 1)) };
  } catch {
    return null;
  }
}

/** As `etcdctl get` shows it. No errors. */
export const writeRecord = (record: PresenceRecord): string => JSON.stringify(record);

/** null: it is no record. No errors. */
export function readRecord(value: string): PresenceRecord | null {
  let found: unknown;
  try {
    found = JSON.parse(value);
  } catch {
    return null;
  }
  if (typeof found !== 'object' || found === null) return null;
  const { connected, since, lastSeen, instance, session, principal, address, epoch, ended } = found as Record<
    string,
    unknown
  >;
  const isWhole =
    typeof connected === 'boolean' && [since, lastSeen].every(isTime) && (epoch === null || isTime(epoch));
  const areTexts = [instance, session, principal, address].every((each) => typeof each === 'string');
  // Only what is known is kept: a later version may have written more.
  const record = { connected, since, lastSeen, instance, session, principal, address, epoch };
  return isWhole && areTexts ? ({ ...record, ended: readEnded(ended) } as PresenceRecord) : null;
}

function readEnded(found: unknown): Ended | null {
  if (typeof found !== 'object' || found === null) return null;
  const { reason, at } = found as Record<string, unknown>;
  const isKnown = typeof reason === 'string' && Object.hasOwn(DISCONNECT_REASONS, reason);
  return isKnown && isTime(at) ? { reason: reason as DisconnectReason, at } : null;
}

const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
