import { ANONYMOUS, type Principal } from '../../../access/principal.js';

/** Bytes; the limit of AWS IoT. */
const MAX_CLIENT_ID_BYTES = 128;

export function isClientId(id: string): boolean {
  return Buffer.byteLength(id) <= MAX_CLIENT_ID_BYTES;
}

/** The user name that the application gave: AWS SDKs append `?SDK=…` to it, or send nothing else. */
export function userName(sent: string | null): string | null {
  const name = sent?.split('?', 1)[0];
  return name === undefined || name === '' ? null : name;
}

/** No authentication yet: user names and passwords are ignored. */
export function authenticate(sentName: string | null, _password: Buffer | null): Principal {
  return principalOf(userName(sentName));
}

function principalOf(_user: string | null): Principal {
  return ANONYMOUS;
}
