/** What a client wants to be published when it goes without a word. */
export interface Will {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  /** Seconds; 0: at once. */
  readonly delay: number;
}

/** Bytes that a will takes from the budget. */
export function willBytes({ topic, payload }: Will): number {
  return topic.length + payload.length + 128;
}
