import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import { noop } from 'cockatiel';
import { Etcd3, type IOptions } from 'etcd3';
import type { EtcdConfig } from '../../../config/config.js';

/** PEM contents, read once: new certificates need new clients. */
export interface EtcdCredentials {
  readonly rootCertificate?: Buffer;
  readonly privateKey?: Buffer;
  readonly certChain?: Buffer;
}

/**
 * A member that has lost its leader refuses at once ("etcdserver: no leader", definitely not applied) instead of
 * keeping a call for 7 s or a watch silent for as long as the partition lasts (ETCD 2.3).
 */
export const requireLeader: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata, listener, next) {
      metadata.set('hasleader', 'true');
      next(metadata, listener);
    },
  });

/**
 * A client of exactly one member. Retries, rotation and deadlines are ours: the library's retries apply a write twice,
 * its breaker refuses reads after failed writes, and without a deadline a call to a dead host never ends (ETCD 0, 3.2).
 *
 * @param host one member, such as `http://127.0.0.1:2379`
 * @param channel keeps TCP connections apart: a watch must not wait behind large ranges (ETCD 6)
 */
export function createEtcdClient(
  host: string,
  config: EtcdConfig,
  credentials: EtcdCredentials,
  channel: 'shared' | 'own',
): Etcd3 {
  const options: IOptions = {
    hosts: host,
    ...(credentials.rootCertificate
      ? { credentials: { ...credentials, rootCertificate: credentials.rootCertificate } }
      : {}),
    ...(config.user === null ? {} : { auth: { username: config.user, password: config.password ?? '' } }),
    faultHandling: { global: noop, host: () => noop },
    // A function: an options object would be one absolute instant for all calls.
    defaultCallOptions: (context) => (context.isStream ? {} : { deadline: Date.now() + config.callTimeoutMs }),
    grpcOptions: {
      // The default of 4 MiB silently drops a watch response that catches up over many batches (PERFORMANCE 6).
      'grpc.max_receive_message_length': -1,
      // With HTTP/2's own 64 KiB a revision of 100 writes takes several turns of a busy loop: the watch of a saturated
      // node lagged by 100 to 300 ms.
      'grpc-node.flow_control_window': 4 * 1024 * 1024,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 250,
      ...(channel === 'own' ? { 'grpc.use_local_subchannel_pool': 1 } : {}),
      // etcd3 hands these on to the client as they are; its type knows only channel options.
      interceptors: [requireLeader] as unknown as string,
    },
  };
  return new Etcd3(options);
}
