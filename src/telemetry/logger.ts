import { pino, type Logger, type LoggerOptions, type DestinationStream } from 'pino';
import { PinoPretty } from 'pino-pretty';

export type { Logger };

/** Injection token of the Logger. */
export const LOGGER = Symbol('Logger');

/** A logger without output, for tests and tools. */
export const SILENT_LOGGER: Logger = pino({ level: 'silent' });

/** Members that hold secrets at any place, up to three levels deep, the limit of pino's wildcards. */
const SECRET_MEMBERS = ['password', 'secret', 'token', 'authorization', 'cookie', 'privateKey', 'tls.key'];
const REDACTED = SECRET_MEMBERS.flatMap((member) => [member, `*.${member}`, `*.*.${member}`]);

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly logLevel: LogLevel;
  /** Each line contains it as `node`. */
  readonly nodeId: string;
}

/** Children of a logger from which on those that are gone are looked for. */
const MAX_CHILDREN = 1_000;

/** Counts the lines that are written. @param level of pino: 30 is info */
export interface LineCounts {
  countLine(level: number): void;
}

/**
 * The logger of the node: lines of JSON, or coloured text on a terminal. Levels info and above never log data of a
 * device; events log names, sizes and versions.
 */
export function createLogger(log: LogOptions, output?: DestinationStream | null, lines?: LineCounts): Logger {
  const children = new Set<WeakRef<Logger>>();
  const options: LoggerOptions = {
    level: log.logLevel,
    base: { node: log.nodeId },
    redact: { paths: REDACTED, censor: '[secret]' },
    // Not called for levels that are off.
    hooks: {
      logMethod(args, method, level) {
        lines?.countLine(level);
        method.apply(this, args);
      },
    },
    onChild: (child) => {
      if (children.size >= MAX_CHILDREN) for (const each of children) if (!each.deref()) children.delete(each);
      children.add(new WeakRef(child as Logger));
    },
  };
  const logger = pino(options, output ?? destination());
  CHILDREN.set(logger, children);
  return logger;
}

/** Loggers of parts by the logger that they were made of: each has a level of its own. */
const CHILDREN = new WeakMap<Logger, Set<WeakRef<Logger>>>();

/** Changes the least severe lines that a logger of createLogger writes, and those of all its children. No errors. */
export function setLogLevel(logger: Logger, level: LogLevel): void {
  logger.level = level;
  const children = CHILDREN.get(logger) ?? new Set();
  for (const each of children) {
    const child = each.deref();
    if (child) child.level = level;
    else children.delete(each);
  }
}

/** Both destinations write synchronously, so that the last line before a crash is not lost. */
function destination(): DestinationStream {
  if (!process.stdout.isTTY) return pino.destination({ dest: 1, sync: true });
  return PinoPretty({ sync: true, ignore: 'pid,hostname,node', translateTime: 'SYS:HH:MM:ss.l' });
}
