import { pino, type Logger } from 'pino';

export type { Logger };

/** Injection token of the Logger. */
export const LOGGER = Symbol('Logger');

/** A logger for tests and tools that want to hear nothing. */
export const SILENT_LOGGER: Logger = pino({ level: 'silent' });
