import type { AnyState, DeepPartial, DesiredOf, ReportedOf, ShadowState } from '../shadow/state.js';

/** A shadow as MQTT tells of it; it knows no revisions there. */
export type DeviceState<T = AnyState> = Omit<ShadowState<T>, 'revision' | 'changedAt'>;

/** A shadow before and after an update. */
export interface Documents<T = AnyState> {
  /** null: there was none. */
  readonly previous: DeviceState<T> | null;
  readonly current: DeviceState<T>;
  /** Of the request that has changed it, if it had one. */
  readonly clientToken: string | null;
}

interface Name {
  readonly thing: string;
  readonly shadow: string | null;
}

type Sections<T> = {
  readonly desired?: Partial<DesiredOf<T>>;
  readonly reported?: Partial<ReportedOf<T>>;
  readonly delta?: DeepPartial<DesiredOf<T>>;
};

/** No errors: what is no document is an empty one. */
export function stateOf<T>(body: Readonly<Record<string, unknown>>, { thing, shadow }: Name): DeviceState<T> {
  const { state, metadata, version } = body as { state?: Sections<T>; metadata?: object; version?: number };
  const { desired = {}, reported = {}, delta = null } = state ?? {};
  return {
    ...{ thing, shadow, desired: desired as Partial<DesiredOf<T>>, reported: reported as Partial<ReportedOf<T>> },
    ...{ delta, metadata: { ...metadata }, version: Number(version ?? 0) },
  };
}

/** undefined: it is no message on `documents`. No errors. */
export function documentsOf<T>(body: Readonly<Record<string, unknown>>, name: Name): Documents<T> | undefined {
  const { previous, current, clientToken } = body;
  if (!isObject(current)) return undefined;
  const before = isObject(previous) && Number(previous['version'] ?? 0) > 0 ? stateOf<T>(previous, name) : null;
  const token = typeof clientToken === 'string' ? clientToken : null;
  return { previous: before, current: stateOf<T>(current, name), clientToken: token };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
