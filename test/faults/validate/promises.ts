/** Every promise that the checker knows; the names of its violations. */
export const PROMISES = {
  lost: 'no acknowledged update is lost',
  twice: 'no update is applied twice',
  versions: 'versions of a shadow are gapless and increase',
  reads: 'reads are linearizable',
  document: 'a document is the merge of its accepted patches',
  delta: 'the delta is true at its version',
  feed: 'a watch stream is gapless, ordered and without duplicates',
  resume: 'a watch stream can be resumed',
  whole: 'a transaction is seen whole or not at all',
  exact:
    'what a reader is told is what etcd has kept, through its filter: without a gap, without a duplicate, in order',
  compacted: 'a reader is told compacted where what it lacks is gone, and only there',
  filters: 'a watch stream with a filter brings what fits it, and all of it',
  fenced: 'a write under a lease never lands after another lease was taken',
  sameAnswer: 'the repetition of a request with its Idempotency-Key gets the first answer',
  promoted: 'what a promotion makes live is what was staged at the versions that it was guarded by',
  deleted: 'an acknowledged delete is seen by reads and streams',
  lists: 'a list has the shadows that exist and no others',
  messages: 'MQTT messages come in order, once, and without gaps on one connection',
  convergence: 'a device converges to desired within the bound',
  rejected: 'nothing that was rejected is applied',
  bounded: 'memory and queues stay bounded',
  ready: 'ready is false and true at the right times',
  serves: 'serves when healed',
  up: 'node stays up',
  sigterm: 'SIGTERM ends in order',
  storage: 'a full storage refuses updates with a clear error and serves reads',
  full: 'a full storage goes on with streams and deletions',
  quiet: 'a reader that missed nothing is not told to start over, and no delta comes again',
  undone: 'an accepted later update is never undone',
  lease: 'a node whose lease has ended gives its lanes up',
  answered: 'a request is answered when its time is over',
  restored: 'a restored backup is told to readers and never mixed with what was before',
  withdrawn: 'what was withdrawn is refused within a second by every node that hears etcd',
  closed: 'nothing fails open, whatever is away',
  goesOn: 'what is allowed goes on, whatever is away',
  newest: 'a node that comes back judges by the newest rules before it serves',
  age: 'a node that is cut off says how old its rules are',
  sinkLost: 'every acknowledged change arrives in every sink',
  sinkOrder: 'the changes of a shadow arrive in a sink in their order, and none is left out',
  sinkIds: 'a change has one id in a sink, by which what comes twice is known',
  sinkRepeats: 'a change comes again in a sink only around a fault',
  sinkOwners: 'every shard of a sink has an owner again in time',
  sinkReturns: 'a sink leaves a connection on which nobody answers',
  library:
    'a watch of the client library handles all that etcd has kept, in order, and again only after its process died',
  libraryEnds: 'a watch of the client library is told compacted or epoch-changed where that is so, and only there',
  libraryCache: 'a cache of the client library shows what the store has at its revision, and nothing else',
  cache: 'the read cache never goes back, and ends as the store',
  spread: 'a drain closes at most twice the even share of its connections in any 100 ms',
  even: 'after a rebalancing no node has a fifth more or less connections than the mean',
  runtimeOwn: 'what an operator promotes is the runtime configuration that he has staged',
  runtimeAll: 'no runtime configuration is live that a node of the service has not looked at',
  runtimeFollowed: 'all nodes follow the live runtime configuration',
  clientLost: 'no report of a device of the client library is lost',
  clientOrder: 'reports of a device of the client library are stored in their order',
  clientDelta: 'a handler of deltas never gets an older one',
  clientWaits: 'no call of the client library waits without bound',
  clientErrors: 'the client library fails with errors of its own, which say what has become of a write',
  clientQuiet: 'the client library leaves no rejection unhandled, and logs no errors',
  clientLeaks: 'what is closed leaves no socket, timer or listener behind',
} as const;

export type PromiseName = (typeof PROMISES)[keyof typeof PROMISES];

/** Promised by the lab alone: that what it judges has happened. */
export const LAB_RUNS = 'the lab runs';

export interface Violation {
  readonly promise: string;
  readonly text: string;
}

export interface Expectations {
  /** Milliseconds of the lab's clock between which ready must have been seen false, on this node. */
  readonly unready?: readonly { readonly node: number; readonly from: number; readonly to: number }[];
  /** Readers may be told to load the present state anew: compaction, or a restored backup. */
  readonly reloads?: boolean;
  /** Why requests over MQTT may be carried out twice, and messages repeated: an external broker is at least once. */
  readonly repeats?: string;
  /** Nothing is broken: ready must never have been false. */
  readonly calm?: boolean;
  /** Bytes that a node may take. */
  readonly maxMemory: number;
}
