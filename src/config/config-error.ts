/** One variable that cannot be used, and what to change. */
export interface ConfigProblem {
  readonly variable: string;
  /** Continues "UMBRA_X …". */
  readonly problem: string;
}

/** Every bad variable at once, so that nobody has to start the node once for each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ variable, problem }) => `  ${variable} ${problem}`);
    super(['The configuration cannot be used:', ...lines, 'All variables: docs/configuration.md'].join('\n'));
  }
}
