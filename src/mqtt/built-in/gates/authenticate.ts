import { ANONYMOUS, type Principal } from '../../../access/principal.js';
import type { AuthenticateError } from 'aedes';
import type { AuthenticateHandler } from '../aedes/aedes-hooks.js';
import { connectionOf } from '../connection.js';

/** Bytes; AWS takes as many. */
const MAX_CLIENT_ID_BYTES = 128;
/** CONNACK return code "identifier rejected"; aedes tells MQTT 5 clients 0x85. */
const IDENTIFIER_REJECTED = 2;

/**
 * The user name that was meant: SDKs append `?SDK=…` to that of the application, or send nothing else (CLIENTS, MQTT
 * CONNECT).
 */
export function userName(sent: string | undefined): string | null {
  const name = sent?.split('?', 1)[0];
  return name === undefined || name === '' ? null : name;
}

/** The `authenticate` of aedes. Who is there is not asked yet: user names and passwords are ignored. */
export const authenticate: AuthenticateHandler = (client, sentName, _password, done) => {
  if (Buffer.byteLength(client.id) > MAX_CLIENT_ID_BYTES || client.id.includes('\0')) {
    return done(
      Object.assign(new Error('identifier rejected'), { returnCode: IDENTIFIER_REJECTED }) as AuthenticateError,
      false,
    );
  }
  connectionOf(client).principal = principalOf(userName(sentName));
  done(null, true);
};

function principalOf(_user: string | null): Principal {
  return ANONYMOUS;
}
