import { InterceptingCall, Metadata, status as codes, type Interceptor, type StatusObject } from '@grpc/grpc-js';
import { reasonOf } from '../../../telemetry/reason.js';
import { isTokenRefused, refusesToken, TOKEN_REFUSED } from './etcd-error.js';
import { unlessHung } from './unless-hung.js';

/**
 * The tokens of a user, one per member, shared by all clients of the node: each costs etcd a hash of the password. A
 * token that a member refuses is forgotten, so that the next call gets a new one.
 */
export class EtcdTokens {
  readonly #tokens = new Map<string, Promise<string>>();

  /**
   * @param authenticate asks the member at `host` for a new token
   * @param timeoutMs milliseconds until the deadline of that call; one that hangs must not hold up all later calls
   */
  constructor(
    private readonly authenticate: (host: string) => Promise<string>,
    private readonly timeoutMs: number,
  ) {}

  /**
   * The token for the member at `host`.
   * @throws CallHung; the error of `authenticate`. The next call tries again
   */
  get(host: string): Promise<string> {
    const known = this.#tokens.get(host);
    if (known) return known;
    const token = unlessHung(this.authenticate(host), host, this.timeoutMs);
    this.#tokens.set(host, token);
    token.catch(() => this.forget(host, token));
    return token;
  }

  /** Puts the token into every call of a client of the member at `host`, and forgets one that the member refuses. */
  interceptor(host: string): Interceptor {
    return (options, nextCall) => {
      let isCancelled = false;
      return new InterceptingCall(nextCall(options), {
        start: (metadata, listener, next) => {
          const token = this.get(host);
          const onReceiveStatus = (status: StatusObject, pass: (status: StatusObject) => void): void => {
            if (!refusesToken(status.details)) return pass(status);
            this.forget(host, token);
            // Not etcd's own text: on "etcdserver: invalid auth token" the library repeats the call without a limit.
            const details = `${TOKEN_REFUSED}: ${status.details.replace('etcdserver: ', '')}`;
            pass({ ...status, code: codes.UNAUTHENTICATED, details });
          };
          const end = (code: codes, details: string): void =>
            listener.onReceiveStatus({ code, details, metadata: new Metadata() });
          token.then(
            (text) => {
              if (isCancelled) return end(codes.CANCELLED, 'Call cancelled');
              metadata.set('token', text);
              next(metadata, { onReceiveStatus });
            },
            (error: unknown) => end(codes.UNAUTHENTICATED, `no token from ${host}: ${reasonOf(error)}`),
          );
        },
        cancel: (next) => {
          isCancelled = true;
          next();
        },
      });
    };
  }

  /** The member at `host` does not accept `token`: the next call gets a new one, unless another has asked already. No errors. */
  forget(host: string, token: Promise<string>): void {
    if (this.#tokens.get(host) === token) this.#tokens.delete(host);
  }
}

/**
 * The result of `call`, which is made once more, with a new token, when its token was refused.
 * @throws what `call` throws
 */
export async function withValidToken<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!isTokenRefused(error)) throw error;
    return call();
  }
}
