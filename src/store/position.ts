/**
 * A place in the history of one store. Revisions of different clusters, or from before and after a restored backup,
 * must never be compared, so a revision never travels without its cluster and epoch.
 */
export interface Position {
  /** Id of the cluster, from the answers of the store. */
  readonly cluster: string;
  /** Number of times that the history went backwards (a restored backup). */
  readonly epoch: number;
  readonly revision: number;
}

/** Whether two positions can be compared by revision. */
export function sameHistory(a: Position, b: Position): boolean {
  return a.cluster === b.cluster && a.epoch === b.epoch;
}
