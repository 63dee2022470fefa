import type { EventEmitter } from 'node:events';
import type { Logger } from './telemetry/logger.js';

/** Exit code of a process that Ctrl-C ended, by the custom of shells: 128 and the number of the signal. */
const INTERRUPTED = 130;
/** Uncaught exceptions that are logged while the node drains; each may be followed by another. */
const MAX_LOGGED = 10;

export interface ShutdownParts {
  readonly logger: Logger;
  /** Ends all parts of the process in order. */
  readonly end: () => Promise<void>;
  /** Milliseconds after which the process ends although its parts have not. */
  readonly limitMs: number;
  readonly exit: (code: number) => void;
}

/** The end of the process: in order, once, and within a limit. */
export class Shutdown {
  #code: number | null = null;

  constructor(private readonly parts: ShutdownParts) {}

  get hasBegun(): boolean {
    return this.#code !== null;
  }

  /**
   * Begins the end, or changes the exit code of one that has begun.
   * @param code 0 for an end that was asked for; the higher code of two counts
   * @param fields of the log line that says why
   */
  begin(code: 0 | 1, fields: object): void {
    const { logger, end, limitMs, exit } = this.parts;
    const hadBegun = this.hasBegun;
    this.#code = Math.max(code, this.#code ?? 0);
    if (hadBegun) return;
    logger.info(fields, 'stopping');
    setTimeout(() => {
      logger.error('the shutdown took too long; the process ends now');
      exit(1);
    }, limitMs).unref();
    end().then(
      () => {
        logger.info('stopped');
        exit(this.#code ?? 0);
      },
      (error: unknown) => {
        logger.error({ err: error }, 'the shutdown failed');
        exit(1);
      },
    );
  }

  /** Ends the process at once. */
  abandon(): void {
    this.parts.exit(INTERRUPTED);
  }
}

/** Ends a process on its signals, and when the launcher is gone, because only the launcher forwards signals. */
export function stopOnSignals(process: EventEmitter, shutdown: Shutdown): void {
  process.on('SIGTERM', () => shutdown.begin(0, { signal: 'SIGTERM' }));
  process.on('SIGINT', () => {
    // A second Ctrl-C ends the process at once; a local etcd notices the end of its node and stops.
    if (shutdown.hasBegun) shutdown.abandon();
    else shutdown.begin(0, { signal: 'SIGINT' });
  });
  process.once('disconnect', () => shutdown.begin(0, { signal: 'SIGTERM' }));
}

/**
 * Ends a process in order after an exception that nothing caught, a rejected promise that nothing awaits included. What
 * the exception left behind is unknown, so the process must end; others can still be served to the end of their requests.
 */
export function stopOnUncaught(process: EventEmitter, shutdown: Shutdown, logger: Logger): void {
  let count = 0;
  process.on('uncaughtException', (error: unknown, origin: string) => {
    if (++count <= MAX_LOGGED) logger.fatal({ err: error, origin }, 'an exception was not caught; the node drains');
    shutdown.begin(1, { reason: 'uncaught-exception' });
  });
}
