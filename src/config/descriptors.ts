import { readFileSync } from 'node:fs';

/** MQTT connections where the system gives no limit of file descriptors. */
const UNKNOWN_LIMIT_CONNECTIONS = 100_000;
/** HTTP connections where the system gives no limit. */
const UNKNOWN_LIMIT_HTTP_CONNECTIONS = 4096;
/** Descriptors kept for HTTP, etcd and files: a quarter of the limit within these bounds, and never more than half. */
const RESERVE = { least: 128, most: 4096 };
/** Descriptors for etcd, files, and MQTT connections that are open only to be refused; at most half of the reserve. */
const OTHERS = 96;

/** The limit of open file descriptors of this process; null where /proc does not give one. Node has raised it to the hard limit. */
export function descriptorLimit(path = '/proc/self/limits'): number | null {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(path, 'latin1'))?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/** The MQTT connections that a limit of file descriptors leaves room for. */
export function connectionsWithin(limit: number | null): number {
  return limit === null ? UNKNOWN_LIMIT_CONNECTIONS : limit - reserveOf(limit);
}

/**
 * The HTTP connections that a limit of file descriptors leaves room for.
 *
 * @param maxMqtt MQTT connections that are allowed; what they leave over is for HTTP
 */
export function httpConnectionsWithin(limit: number | null, maxMqtt: number): number {
  if (limit === null) return UNKNOWN_LIMIT_HTTP_CONNECTIONS;
  const rest = Math.max(reserveOf(limit), limit - maxMqtt);
  return rest - Math.min(OTHERS, Math.ceil(rest / 2));
}

function reserveOf(limit: number): number {
  const quarter = Math.min(RESERVE.most, Math.max(RESERVE.least, Math.ceil(limit / 4)));
  return Math.min(quarter, Math.ceil(limit / 2));
}
