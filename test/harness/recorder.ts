import type { Etcd3, ITxnRequest } from 'etcd3';
import type { Channel } from '../../src/store/etcd/client/channel/etcd-channel.js';
import { HEAD_BYTES } from '../../src/store/etcd/client/channel/grpc-message.js';
import { decodeMessage } from './etcd-messages.js';

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

  /** Wraps the channel, whose unary calls are Txns of writes and reads. */
  attachChannel(channel: Channel): Channel {
    return interceptTxns(channel, (request, send) => {
      this.calls.push({ method: 'txn', request });
      return send();
    });
  }

  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  clear(): void {
    this.calls.length = 0;
  }
}

/** A channel whose Txns pass through `txn`, which may count or refuse them. */
export function interceptTxns(
  channel: Channel,
  txn: (request: ITxnRequest, send: () => Promise<Buffer>) => Promise<Buffer>,
): Channel {
  return {
    unary: (path, message, timeoutMs) =>
      txn(decodeMessage('TxnRequest', message.subarray(HEAD_BYTES)), () => channel.unary(path, message, timeoutMs)),
    stream: (path, events) => channel.stream(path, events),
    close: () => channel.close(),
  };
}
