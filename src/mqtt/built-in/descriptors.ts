import { close, open, readFileSync } from 'node:fs';
import type { Logger } from '../../telemetry/logger.js';

/** Below this many file descriptors a node is short of connections soon; the usual limit of a shell is 1024. */
const SMALL_LIMIT = 4096;
/** MQTT connections where the system gives no limit of file descriptors. */
const UNKNOWN_LIMIT_CONNECTIONS = 100_000;
/** Descriptors kept for HTTP, etcd and files: a quarter of the limit within these bounds, and never more than half. */
const RESERVE = { least: 128, most: 4096 };
const PROBE_MS = 1_000;
/** Milliseconds between two log lines about the same lack. */
const LOG_MS = 10_000;

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
  if (limit === null) return UNKNOWN_LIMIT_CONNECTIONS;
  const quarter = Math.min(RESERVE.most, Math.max(RESERVE.least, Math.ceil(limit / 4)));
  return limit - Math.min(quarter, Math.ceil(limit / 2));
}

/** Says at start when file descriptors will be short. */
export function warnOfFewDescriptors(limit: number | null, maxConnections: number, logger: Logger): void {
  if (limit === null) return;
  if (maxConnections > connectionsWithin(limit))
    logger.warn({ limit, maxConnections }, 'more MQTT connections are allowed than file descriptors leave room for');
  else if (limit < SMALL_LIMIT)
    logger.warn({ limit, maxConnections }, 'the limit of file descriptors is small; raise it (LimitNOFILE, ulimit -n)');
}

/**
 * Notices that file descriptors have run out. libuv then accepts a connection and closes it at once, without an error: no
 * listener hears of it, and the health checks of a load balancer just fail.
 */
export class DescriptorProbe {
  #timer: NodeJS.Timeout | null = null;
  #loggedAt = -Infinity;

  constructor(private readonly logger: Logger) {}

  start(): void {
    this.#timer ??= setInterval(() => this.#probe(), PROBE_MS).unref();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  #probe(): void {
    open('/dev/null', 'r', (error, descriptor) => {
      if (!error) return close(descriptor);
      if (error.code !== 'EMFILE' && error.code !== 'ENFILE') return;
      if (performance.now() - this.#loggedAt < LOG_MS) return;
      this.#loggedAt = performance.now();
      this.logger.error({ reason: error.code }, 'no file descriptor is left; new connections are closed at once');
    });
  }
}
