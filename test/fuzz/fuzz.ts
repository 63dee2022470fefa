/** What every fuzzer of this folder takes and gives; `run.ts` starts the node and judges what became of it. */
export interface FuzzOptions {
  /** Of the node under attack, such as `http://127.0.0.1:20100`. */
  readonly httpUrl: string;
  readonly mqttUrl: string;
  /** Everything that is sent depends on nothing but this and the index of its connection. */
  readonly seed: number;
  /** Packets, or requests, after which it ends. */
  readonly count: number;
  /** Packets per second at most: a node that is merely overloaded says nothing about the packets. */
  readonly rate: number;
  /** performance.now() at which it ends whatever the count. */
  readonly deadline: number;
  /** Ends it early: the node has gone. */
  readonly isOver: () => boolean;
}

/** One connection's bytes, as they are kept in the corpus. */
export interface Find {
  readonly transport: 'tcp' | 'websocket' | 'http';
  /** Hexadecimal; each is one write. */
  readonly chunks: readonly string[];
  readonly why: string;
}

export interface FuzzResult {
  /** Packets, or requests, that were written. */
  readonly sent: number;
  /** Of these, broken on purpose, byte by byte or by a rule. */
  readonly broken: number;
  readonly connections: number;
  /** Answers that no server may give. */
  readonly finds: readonly Find[];
}
