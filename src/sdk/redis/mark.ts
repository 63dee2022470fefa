/** Where a change stands: in the history of its shadow, and in the stream. */
export interface Place {
  /** Counts restored backups, after which revisions come again. */
  readonly epoch: number;
  readonly revision: number;
  /** Id of the entry in the stream. */
  readonly entry: string;
}

/**
 * `next`: newer than what was handled. `repeated`: it was handled, or its first copy will be. `late`: a newer change of
 * its shadow was handled first, by another consumer.
 */
export type Standing = 'next' | 'repeated' | 'late';

/** Reads what the scripts write; null: there is none. No errors. */
export function markOf(text: string): Place | null {
  const [, epoch, revision, entry] = /^(\d+):(\d+):(\d+-\d+)$/.exec(text) ?? [];
  return entry === undefined ? null : { epoch: Number(epoch), revision: Number(revision), entry };
}

/**
 * First copies come into the stream in the order of revisions. An older revision behind the mark is therefore a repetition;
 * one before it may be a first copy that was delivered to another consumer. No errors.
 * @param mark the newest change of the shadow that was handled
 */
export function standingOf(change: Place, mark: Place | null): Standing {
  if (mark === null) return 'next';
  const ahead = change.epoch - mark.epoch || change.revision - mark.revision;
  if (ahead > 0) return 'next';
  return ahead < 0 && isBefore(change.entry, mark.entry) ? 'late' : 'repeated';
}

/** Whether the first id of an entry is before the second. No errors. */
export function isBefore(first: string, second: string): boolean {
  const [a, b] = [first, second].map((id) => id.split('-').map(Number));
  return a![0] === b![0] ? a![1]! < b![1]! : a![0]! < b![0]!;
}
