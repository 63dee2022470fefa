/** What a program with devices of the client library is told when it starts. */
export interface ProgramSpec {
  /** Address of the folder of the library, with `index.js` and `device/index.js`. */
  readonly library: string;
  readonly seed: number;
  readonly lamps: readonly LampSpec[];
  /** Addresses of the REST door, one for each application in turn; none: there are no applications. */
  readonly urls: readonly string[];
  /** Folder for outboxes; null: what waits is lost with the device. */
  readonly outboxes: string | null;
}

export interface LampSpec {
  readonly thing: string;
  /** Address of the MQTT door. */
  readonly url: string;
  readonly protocolVersion: 4 | 5;
  readonly sessionSeconds: number;
  readonly maxWaiting: number;
  /** By shadow, the numbers to go on with. */
  readonly next: Readonly<Record<string, number>>;
}

/** The lab says `rest`: no new calls. Then `leave`: close all, look for what is left, and end. */
export type Command = 'rest' | 'leave';

/** Names of the shadows of each lamp. */
export const SHADOWS = [null, 'net'] as const;

/** Members in which reports tell their numbers, one after the other. */
export const SLOTS = 16;
