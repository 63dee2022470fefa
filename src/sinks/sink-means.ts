import type { ClusterKeys } from '../store/cluster-keys.js';
import type { SinkKind } from './sink-kind.js';
import type { SinkSecrets } from './sink-secrets.js';

/** What those who make, show and run sinks have in common. */
export interface SinkMeans {
  /** Those below SINKS_PATH. */
  readonly keys: ClusterKeys;
  readonly secrets: SinkSecrets;
  /** By their names. */
  readonly kinds: ReadonlyMap<string, SinkKind>;
}

/** Injection token of the SinkMeans. */
export const SINK_MEANS = Symbol('SinkMeans');
