import type { UmbraError } from '../sdk/index.js';

/** How the command ends, for scripts. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notSignedIn: 3,
  notAllowed: 4,
  notFound: 5,
  conflict: 6,
  unreachable: 7,
  unknownOutcome: 8,
  undecided: 9,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each exit code means, for docs/cli.md and the help. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'failed; the message says why'],
  [EXIT.usage, 'wrong usage, or a file or value that is refused before anything is sent'],
  [EXIT.notSignedIn, 'not signed in: the credential is missing, wrong, expired or revoked'],
  [EXIT.notAllowed, 'not allowed'],
  [EXIT.notFound, 'not found'],
  [EXIT.conflict, 'conflict: the version is another one, or it exists already'],
  [EXIT.unreachable, 'unreachable: no connection, no answer in time, or the service is not ready'],
  [EXIT.unknownOutcome, 'outcome unknown: the write may have been carried out'],
  [EXIT.undecided, 'undecided: there is not enough data for a verdict'],
  [EXIT.interrupted, 'interrupted, by Ctrl-C, SIGTERM or SIGHUP'],
];

/** An error of the command itself. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    readonly exit: ExitCode,
    message: string,
  ) {
    super(message);
  }
}

/** An error of the arguments or of a file, found before anything is sent. No errors. */
export const usage = (message: string): CliError => new CliError(EXIT.usage, message);

/** By name and not by class, so that the library need not be loaded to judge an error. No errors. */
export const isUmbraError = (error: unknown): error is UmbraError =>
  error instanceof Error && error.name === 'UmbraError';

const BY_STATUS: Readonly<Record<number, ExitCode>> = {
  401: EXIT.notSignedIn,
  403: EXIT.notAllowed,
  404: EXIT.notFound,
  409: EXIT.conflict,
  412: EXIT.conflict,
  502: EXIT.unreachable,
  503: EXIT.unreachable,
  504: EXIT.unreachable,
};

const BY_CODE: Readonly<Record<string, ExitCode>> = {
  unreachable: EXIT.unreachable,
  timeout: EXIT.unreachable,
  'signed-out': EXIT.notSignedIn,
  'access-denied': EXIT.notSignedIn,
  'expired-token': EXIT.notSignedIn,
  forbidden: EXIT.notAllowed,
  'not-found': EXIT.notFound,
  'invalid-argument': EXIT.usage,
  aborted: EXIT.interrupted,
};

/** No errors. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exit;
  if (!isUmbraError(error)) return EXIT.failed;
  if (error.outcome === 'unknown') return EXIT.unknownOutcome;
  return BY_STATUS[error.status ?? 0] ?? BY_CODE[error.code] ?? EXIT.failed;
}
