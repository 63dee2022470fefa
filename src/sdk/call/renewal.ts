import type { Auth } from '../auth/auth.js';
import { UmbraError } from '../umbra-error.js';
import type { Link } from './call.js';

/**
 * Gives each attempt its credential. After a 401 the source of the credential may get a better one; the request is then
 * sent once more, if its body is no stream. Failing that, the 401 is handed on.
 */
export function renewal(auth: Auth): Link {
  return async (call, next) => {
    const used = await auth.headers(call);
    try {
      return await next({ ...call, headers: { ...call.headers, ...used } });
    } catch (error) {
      if (!(error instanceof UmbraError) || error.status !== 401 || !auth.refused) throw error;
      const isRenewed = await auth.refused(used, error, call.signal).catch(() => false);
      if (!isRenewed || typeof call.body === 'object') throw error;
      const renewed = await auth.headers(call);
      return next({ ...call, headers: { ...call.headers, ...renewed } });
    }
  };
}
