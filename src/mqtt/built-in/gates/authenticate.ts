import { ANONYMOUS, type Principal } from '../../../access/principal.js';
import type { AuthenticateError } from 'aedes';
import type { AuthenticateHandler } from '../aedes/aedes-hooks.js';
import { connectionOf } from '../connection.js';

/** Bytes; the limit of AWS IoT. */
const MAX_CLIENT_ID_BYTES = 128;
/** CONNACK return code "identifier rejected"; aedes sends MQTT 5 clients 0x85. */
const IDENTIFIER_REJECTED = 2;
/** CONNACK return code "server unavailable"; aedes sends MQTT 5 clients 0x88. */
const SERVER_UNAVAILABLE = 3;

/** The user name that the application gave: AWS SDKs append `?SDK=…` to it, or send nothing else. */
export function userName(sent: string | undefined): string | null {
  const name = sent?.split('?', 1)[0];
  return name === undefined || name === '' ? null : name;
}

/** The `authenticate` of aedes. No authentication yet: user names and passwords are ignored. */
export const authenticate: AuthenticateHandler = (client, sentName, _password, done) => {
  const connection = connectionOf(client);
  if (connection.isRefused) return done(refusal('too many connections', SERVER_UNAVAILABLE), false);
  if (Buffer.byteLength(client.id) > MAX_CLIENT_ID_BYTES || client.id.includes('\0'))
    return done(refusal('identifier rejected', IDENTIFIER_REJECTED), false);
  connection.principal = principalOf(userName(sentName));
  done(null, true);
};

function refusal(reason: string, returnCode: number): AuthenticateError {
  return Object.assign(new Error(reason), { returnCode }) as AuthenticateError;
}

function principalOf(_user: string | null): Principal {
  return ANONYMOUS;
}
