import { setLogLevel, type Logger, type LogLevel } from '../telemetry/logger.js';
import { FLAGS, type FlagName } from './flags.js';
import type { RuntimeDocument } from './runtime-document.js';

/** What is in force on this node, of that which can be changed while it runs. */
export class RuntimeSettings {
  #document: RuntimeDocument = {};

  /** Of the environment. */
  readonly #logLevel: LogLevel;

  constructor(private readonly logger: Logger) {
    this.#logLevel = logger.level as LogLevel;
  }

  /** Whether a switch is on. No errors. */
  isOn(flag: FlagName): boolean {
    return this.#document.flags?.[flag] ?? FLAGS[flag].default;
  }

  /** Puts a document in force; an empty one is what the environment says. No errors. */
  apply(document: RuntimeDocument): void {
    this.#document = document;
    setLogLevel(this.logger, document.logLevel ?? this.#logLevel);
  }
}
