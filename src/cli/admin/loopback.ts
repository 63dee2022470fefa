import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CliError, EXIT, usage } from '../exit-code.js';

/** Milliseconds in which somebody has to sign in. */
const LONGEST_MS = 5 * 60_000;
const PATH = '/callback';

/** Where a browser on this machine comes back to after a login (RFC 8252 section 7.3). */
export interface Loopback {
  readonly redirectUri: string;
  /**
   * The address that it has come back to.
   * @param state of the login that it belongs to; others on this machine may open the address, too
   * @throws CliError if nobody comes in time, or at Ctrl-C
   */
  callback(state: string, signal: AbortSignal): Promise<string>;
  close(): void;
}

/** Listens on the loopback address. @param port 0: a free one @throws CliError if it is taken */
export async function listen(port: number): Promise<Loopback> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw usage(`port ${port} cannot be used (${error.code}): give another --port`);
  });
  const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`;
  return {
    redirectUri,
    callback: (state, signal) => callbackOf(server, redirectUri, state, signal),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function callbackOf(server: Server, redirectUri: string, state: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', interrupt);
    };
    const fail = (error: CliError): void => (end(), reject(error));
    const interrupt = (): void => fail(new CliError(EXIT.interrupted, 'interrupted'));
    const timer = setTimeout(
      () => fail(new CliError(EXIT.notSignedIn, `nobody has signed in within ${LONGEST_MS / 60_000} minutes`)),
      LONGEST_MS,
    );
    if (signal.aborted) return interrupt();
    signal.addEventListener('abort', interrupt, { once: true });
    server.on('request', ({ url = '/', method }, response) => {
      // What others send need not be an address at all.
      const asked = URL.canParse(url, redirectUri) ? new URL(url, redirectUri) : new URL('/', redirectUri);
      if (method !== 'GET' || asked.pathname !== PATH) return say(response, 404, 'There is nothing here.');
      if (asked.searchParams.get('state') !== state) return say(response, 400, 'This is another login.');
      const isRefused = asked.searchParams.has('error');
      say(response, 200, isRefused ? 'Nobody was signed in. See the terminal.' : 'Go back to the terminal.');
      // Also when the browser has gone before it read the answer.
      response.on('close', () => (end(), resolve(asked.href)));
    });
  });
}

function say(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
    })
    .end(`${text}\n`);
}
