/** What a member of etcd says of itself and of its leader. */
export interface LeaderView {
  readonly host: string;
  readonly memberId: string;
  /** Id of the leader that it follows; '0': it has none. */
  readonly leaderId: string;
  /** Counts the elections. */
  readonly term: number;
}

const NONE = '0';

/**
 * The address of the leader; null when no member that answered knows one, or the leader itself did not answer. A leader
 * that is cut off from its peers believes in itself for a while: the latest election counts. No errors.
 */
export function leaderOf(views: readonly LeaderView[]): string | null {
  let latest: LeaderView | null = null;
  for (const view of views) if (view.leaderId !== NONE && view.term > (latest?.term ?? -1)) latest = view;
  const leaderId = latest?.leaderId;
  return views.find(({ memberId }) => memberId === leaderId)?.host ?? null;
}
