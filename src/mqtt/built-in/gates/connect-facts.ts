import type { ConnectFacts } from '../../../access/authorizer.js';
import type { ConnectPacket } from '../packets/packet.js';

/** Shared by all clients without a will. */
const PLAIN: ConnectFacts = { attributes: [], willTopic: null };
const PERSISTENT: ConnectFacts = { attributes: ['PersistentConnect'], willTopic: null };

/**
 * What policies may ask of a CONNECT, in the words of AWS.
 * @param expirySeconds for which its session is to outlive the connection
 */
export function connectFacts({ clean, will }: ConnectPacket, expirySeconds: number): ConnectFacts {
  const kind = !clean || expirySeconds > 0 ? PERSISTENT : PLAIN;
  return will === null ? kind : { attributes: [...kind.attributes, 'LastWill'], willTopic: will.topic };
}
