import { close, open } from 'node:fs';
import { connectionsWithin } from '../../config/descriptors.js';
import type { Logger } from '../../telemetry/logger.js';

/** Below this many file descriptors a node is short of connections soon; the usual limit of a shell is 1024. */
const SMALL_LIMIT = 4096;
const PROBE_MS = 1_000;
/** Milliseconds between two log lines about the same lack. */
const LOG_MS = 10_000;

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
