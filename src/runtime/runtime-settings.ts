import { setLogLevel, type Logger, type LogLevel } from '../telemetry/logger.js';
import type { Sampler, SamplingRules } from '../telemetry/sampling.js';
import { FLAGS, type FlagName } from './flags.js';
import type { RuntimeDocument } from './runtime-document.js';

/** What is in force on this node, of that which can be changed while it runs. */
export class RuntimeSettings {
  #document: RuntimeDocument = {};

  /** Of the environment. */
  readonly #given: { readonly logLevel: LogLevel; readonly sampling: SamplingRules };

  constructor(
    private readonly logger: Logger,
    private readonly sampler: Pick<Sampler, 'rules' | 'replace'>,
  ) {
    this.#given = { logLevel: logger.level as LogLevel, sampling: sampler.rules };
  }

  /** Whether a switch is on. No errors. */
  isOn(flag: FlagName): boolean {
    return this.#document.flags?.[flag] ?? FLAGS[flag].default;
  }

  /** Puts a document in force; an empty one is what the environment says. No errors. */
  apply(document: RuntimeDocument): void {
    const { logLevel, sampling } = { ...this.#given, ...document };
    this.#document = document;
    setLogLevel(this.logger, logLevel);
    this.sampler.replace(sampling);
  }
}
