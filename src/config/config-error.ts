/** One invalid variable, and the remedy. */
export interface ConfigProblem {
  readonly variable: string;
  /** Continues "UMBRA_X …". */
  readonly problem: string;
}

/** All bad variables at once, so that one failed start shows them all. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ variable, problem }) => `  ${variable} ${problem}`);
    super(['The configuration cannot be used:', ...lines, 'All variables: docs/configuration.md'].join('\n'));
  }
}
