import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Credentials } from '../../../access/authenticator.js';
import { certificateOf } from '../../../tls/peer-certificate.js';
import type { ConnectPacket } from '../packets/packet.js';

/** Bytes; the limit of AWS IoT. */
const MAX_CLIENT_ID_BYTES = 128;

export function isClientId(id: string): boolean {
  return Buffer.byteLength(id) <= MAX_CLIENT_ID_BYTES;
}

/** What a CONNECT and its connection show. @param peer the socket that the packets come over, below any WebSocket */
export function credentialsOf({ userName, password }: ConnectPacket, peer: Duplex): Credentials {
  return {
    userName: givenName(userName),
    password: password?.toString() ?? null,
    bearer: null,
    certificate: certificateOf(peer),
    address: addressOf(peer),
  };
}

/** IP address of the other end; empty when it is gone already. */
export function addressOf(peer: Duplex): string {
  return (peer as Socket).remoteAddress ?? '';
}

/** The user name that the application gave: AWS SDKs append `?SDK=…` to it, or send nothing else. */
export function givenName(sent: string | null): string | null {
  const name = sent?.split('?', 1)[0];
  return name === undefined || name === '' ? null : name;
}
