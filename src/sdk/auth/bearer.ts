import type { Auth } from './auth.js';

/** A key (`umk_…`) or an access token that does not change, or a function that gives the present one at each attempt. */
export function bearer(credential: string | (() => string | Promise<string>)): Auth {
  const token = async (): Promise<string> => (typeof credential === 'string' ? credential : credential());
  return {
    headers: async () => ({ authorization: `Bearer ${await token()}` }),
    // What a function gives may be another one than before.
    refused: async ({ authorization }) => typeof credential !== 'string' && `Bearer ${await token()}` !== authorization,
    token,
  };
}

/** No credential, for nodes without authentication. */
export const anonymous: Auth = { headers: () => Promise.resolve({}) };
