import type { Fetch } from '../sdk/index.js';
import type { Secrets } from './secrets.js';

/** A stream that the command writes to. */
export interface Sink {
  readonly isTerminal: boolean;
  /** Resolves when the text has been taken, so that a slow reader slows the command down. */
  write(text: string): Promise<void>;
  /** Whether nobody reads it any more: what is written then is dropped. Absent: never. */
  isGone?(): boolean;
}

/** Questions to a person. They are loaded when the first one is asked. */
export interface Prompts {
  /** null: the person gave up. */
  secret(question: string): Promise<string | null>;
  /** What is typed, or `initial` as it stands. null: the person gave up. */
  text(question: string, initial: string): Promise<string | null>;
  /** null: the person gave up. */
  confirm(question: string): Promise<boolean | null>;
}

/** How a program has ended. */
export interface Executed {
  /** null: it was ended, because its time was over or the command was interrupted. */
  readonly exit: number | null;
  /** The last of what it has said, on both of its outputs. */
  readonly said: string;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds that never go back. */
  monotonic(): number;
}

/** Everything that the command takes from its process. Tests replace it. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The home folder of the user. */
  readonly home: string;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  /** Whether a person can answer: stdin and stderr are a terminal. */
  readonly isInteractive: boolean;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly fetch: Fetch;
  /** Aborts when the command is interrupted: by Ctrl-C, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Resolves after so many milliseconds, and when the command is interrupted. */
  pause(ms: number): Promise<void>;
  readonly clock: Clock;
  /**
   * Runs a program to its end, without a shell and without input.
   * @throws CliError if it cannot be started
   */
  execute(program: string, args: readonly string[], limitMs: number): Promise<Executed>;
  /** Credentials that were read. What is said of an error never shows them. */
  readonly secrets: Secrets;
  prompts(): Promise<Prompts>;
}
