import type { Config } from './config.js';
import { isLoopback } from './loopback.js';

/**
 * Whether clients have to prove who they are: wherever strangers may come, unless it was said that something else keeps
 * them out.
 * @param hosts addresses that the node listens on
 */
export function needsCredentials(mode: 'auto' | 'on' | 'off', isInsecure: boolean, hosts: readonly string[]): boolean {
  if (mode !== 'auto') return mode === 'on';
  return !isInsecure && !hosts.every(isLoopback);
}

/** Addresses that the node listens on. No errors. */
export function hostsOf({ http, mqtt, grpc }: Pick<Config, 'http' | 'mqtt' | 'grpc'>): string[] {
  const hasGrpc = grpc.port !== null || grpc.tlsPort !== null;
  return [http.host, mqtt.host, ...(hasGrpc ? [grpc.host] : [])];
}
