/** Path of what nodes say of their connections, below the cluster's own keys. */
export const LOADS_PATH = 'loads/';
/** Begins the keys by which nodes say how many they have. */
export const SAID = 'said/';
/** Begins the keys by which a node is asked to shed some. */
export const ASKED = 'asked/';

/** How far a node is with connections that it was asked to shed. */
export interface Shed {
  readonly id: string;
  /** How many are to go. */
  readonly connections: number;
  /** How many have been asked to go so far. */
  readonly closed: number;
  readonly isDone: boolean;
}

/** What a node says of itself under its lease. */
export interface NodeWord {
  /** Version of the software. */
  readonly software: string;
  /** This life of the node. */
  readonly instance: string;
  /** MQTT clients that are connected to it. */
  readonly connections: number;
  readonly isDraining: boolean;
  /** The last one; null: there was none in this life. */
  readonly shed: Shed | null;
}

/** What a node is asked for. */
export interface ShedOrder {
  readonly id: string;
  /** The life of the node that is asked: a later one does not obey. */
  readonly instance: string;
  readonly connections: number;
  /** Milliseconds over which they go. */
  readonly spreadMs: number;
  /** Id of the principal that asks. */
  readonly by: string;
}

/** @returns null for what says nothing to this version. No errors. */
export function readWord(text: string): NodeWord | null {
  const { software, instance, connections, isDraining, shed } = objectIn(text) ?? {};
  if (typeof instance !== 'string' || !isCount(connections)) return null;
  return {
    software: typeof software === 'string' ? software : 'unknown',
    ...{ instance, connections, isDraining: isDraining === true, shed: readShed(shed) },
  };
}

/** @returns null for what says nothing to this version. No errors. */
export function readOrder(text: string): ShedOrder | null {
  const { id, instance, connections, spreadMs, by } = objectIn(text) ?? {};
  if (typeof id !== 'string' || typeof instance !== 'string') return null;
  if (!isCount(connections) || !isCount(spreadMs)) return null;
  return { id, instance, connections, spreadMs, by: String(by) };
}

function readShed(value: unknown): Shed | null {
  const { id, connections, closed, isDone } = (value ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string' || !isCount(connections) || !isCount(closed)) return null;
  return { id, connections, closed, isDone: isDone === true };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
