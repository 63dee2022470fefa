import type { FastifyReply } from 'fastify';
import { json } from '../http/send-json.js';
import { oauthErrorOf } from './oauth-error.js';

/**
 * The answer to a request of OAuth, which no cache may keep (RFC 6749 section 5.1); errors get the body of its section
 * 5.2 with our `code`.
 * @throws whatever `work` throws that is no error of the service
 */
export async function oauthAnswer(reply: FastifyReply, work: () => Promise<object> | object): Promise<string> {
  void reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
  try {
    return json(reply, await work());
  } catch (thrown) {
    const refusal = oauthErrorOf(thrown);
    if (refusal === null) throw thrown;
    const { error, message, code, status, retryAfter } = refusal;
    void reply.code(status);
    if (status === 401) void reply.header('www-authenticate', 'Basic realm="umbra"');
    if (retryAfter !== null) void reply.header('retry-after', String(retryAfter));
    return json(reply, { error, error_description: message, ...(code !== undefined && { code }) });
  }
}
