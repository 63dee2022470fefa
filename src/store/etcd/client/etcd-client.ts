import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import { noop } from 'cockatiel';
import { Etcd3, type IOptions } from 'etcd3';
import type { EtcdConfig } from '../../../config/config.js';
import type { EtcdTokens } from './etcd-tokens.js';

/** Contents of PEM files, as they are now. */
export interface EtcdCredentials {
  readonly rootCertificate?: Buffer | undefined;
  readonly privateKey?: Buffer | undefined;
  readonly certChain?: Buffer | undefined;
}

/**
 * A member that has lost its leader rejects a call at once ("etcdserver: no leader", definitely not applied) instead of
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
 * A client of exactly one member, with a connection of its own: a watch must not wait for large ranges (ETCD 6), and a
 * client that is given up must take its stuck connection with it. Retries, rotation and deadlines belong to
 * EtcdMembers: the library's retries apply a write twice, its breaker rejects reads after failed writes, and without a
 * deadline a call to a dead host never ends (ETCD 0, 3.2). So does the token of the user: the library leaves a TLS
 * connection open for each.
 *
 * @param host one member, such as `http://127.0.0.1:2379`
 * @param tokens of the user; null: calls carry no token
 */
export function createEtcdClient(
  host: string,
  config: Pick<EtcdConfig, 'callTimeoutMs'>,
  credentials: EtcdCredentials,
  tokens: EtcdTokens | null = null,
): Etcd3 {
  const { rootCertificate, certChain, privateKey } = credentials;
  const shown = { ...(certChain && { certChain }), ...(privateKey && { privateKey }) };
  const options: IOptions = {
    hosts: host,
    ...(rootCertificate && { credentials: { rootCertificate, ...shown } }),
    faultHandling: { global: noop, host: () => noop },
    // A function: an options object would be one absolute instant for all calls.
    defaultCallOptions: (context) => (context.isStream ? {} : { deadline: Date.now() + config.callTimeoutMs }),
    grpcOptions: {
      // The default of 4 MiB silently drops a watch response that catches up over many batches (ETCD 1).
      'grpc.max_receive_message_length': -1,
      // With HTTP/2's own 64 KiB a revision of 100 writes takes several turns of a busy loop: the watch of a saturated
      // node lagged by 100 to 300 ms.
      'grpc-node.flow_control_window': 4 * 1024 * 1024,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 250,
      'grpc.use_local_subchannel_pool': 1,
      // etcd3 passes these to the client as they are; its type knows only channel options.
      interceptors: (tokens ? [requireLeader, tokens.interceptor(host)] : [requireLeader]) as unknown as string,
    },
  };
  return new Etcd3(options);
}
