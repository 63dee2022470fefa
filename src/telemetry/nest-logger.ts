import type { LoggerService } from '@nestjs/common';
import type { Logger } from './logger.js';

/** Contexts of Nest's start: one line per module and route, useful only to find faults in the wiring. */
const WIRING = new Set(['InstanceLoader', 'NestFactory', 'RoutesResolver', 'RouterExplorer', 'NestApplication']);

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Writes Nest's own lines to the logger of the node. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.#write(WIRING.has(String(rest.at(-1))) ? 'debug' : 'info', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.#write('fatal', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.#write('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.#write('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.#write('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.#write('trace', message, rest);
  }

  /** Nest passes the message first, then (for errors) the stack, and the context last. */
  #write(level: Level, message: unknown, rest: readonly unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? rest.at(-1) : undefined;
    const extra = context === undefined ? rest : rest.slice(0, -1);
    const stack = extra.find((part) => typeof part === 'string');
    const error = [message, ...extra].find((part) => part instanceof Error);
    const fields = {
      ...(context === undefined ? {} : { context }),
      ...(error === undefined ? {} : { err: error }),
      ...(stack === undefined ? {} : { stack }),
    };
    this.logger[level](fields, error instanceof Error && message === error ? error.message : text(message));
  }
}

function text(message: unknown): string {
  if (typeof message === 'string') return message;
  try {
    return JSON.stringify(message) ?? String(message);
  } catch {
    return String(message);
  }
}
