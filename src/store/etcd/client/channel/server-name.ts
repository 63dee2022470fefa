import { isIP } from 'node:net';

/**
 * The name that a handshake of TLS tells the server (RFC 6066, 3): what stands before an etcd may choose by it, and Node
 * tells none by itself. An address has none; etcd ends a handshake that names one with the dot of the root behind it.
 */
export function serverNameOf(host: string): string | undefined {
  return isIP(host) === 0 ? host.replace(/\.$/, '') : undefined;
}
