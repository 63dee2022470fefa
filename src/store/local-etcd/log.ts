import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Logger } from '../../telemetry/logger.js';

const MAX_LINES = 12;
const MAX_LENGTH = 400;

/** Reads the output of etcd: faults go to the log of the node, and the last lines are kept for an error message. */
export class LocalEtcdLog {
  #lines: string[] = [];
  #stopping = false;

  constructor(private readonly logger: Logger) {}

  /** Logs the output of etcd line by line. */
  follow(...streams: Readable[]): void {
    for (const stream of streams) createInterface({ input: stream }).on('line', (line) => this.#hear(line));
  }

  /** From now on etcd ends on purpose: its messages about that, and those of the shell around it, are no faults. */
  expectEnd(): void {
    this.#stopping = true;
  }

  /** Returns the last lines, oldest first, and forgets them. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  #hear(line: string): void {
    const { level, text } = readLine(line);
    this.#lines = [...this.#lines.slice(1 - MAX_LINES), text];
    // etcd also warns of harmless events, such as one slow write.
    if (this.#stopping || level === 'warn') this.logger.debug({ etcd: text }, 'local etcd says');
    else if (level !== 'info' && level !== 'debug') this.logger.warn({ etcd: text }, 'local etcd reports a fault');
  }
}

/** A line of etcd's JSON log in a few words; anything else (a panic, the shell) as it is. */
function readLine(line: string): { level: string; text: string } {
  const short = line.slice(0, MAX_LENGTH);
  try {
    const { level, msg, error } = JSON.parse(line) as Record<string, unknown>;
    if (typeof level !== 'string' || typeof msg !== 'string') return { level: 'other', text: short };
    const reason = typeof error === 'string' ? `: ${error}` : '';
    return { level, text: `${level} ${msg}${reason}`.slice(0, MAX_LENGTH) };
  } catch {
    return { level: 'other', text: short };
  }
}
