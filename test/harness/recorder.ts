import type { Etcd3 } from 'etcd3';

export interface RecordedCall {
  readonly method: string;
  readonly request: unknown;
}

/** Notes every key-value call of the clients that it was put on; a test then counts round trips. */
export class EtcdRecorder {
  readonly calls: RecordedCall[] = [];

  /** Wraps the client's own `kv`; other clients stay as they are. */
  attach(client: Etcd3): Etcd3 {
    const kv = client.kv as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const method of ['range', 'put', 'deleteRange', 'txn', 'compact']) {
      const original = kv[method];
      if (!original) continue;
      kv[method] = (...args: unknown[]) => {
        this.calls.push({ method, request: args[0] });
        return original.apply(kv, args);
      };
    }
    return client;
  }

  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  clear(): void {
    this.calls.length = 0;
  }
}
