import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the range from which Linux takes the local ports of outgoing connections (32768 to 60999). */
export const FIRST_PORT = 20_000;
export const LAST_PORT = 32_767;
const MAX_TRIES = 200;

/**
 * A port on 127.0.0.1 that nothing listens on at this moment. Another process may still take it before the caller does.
 * @param claim asked before the port is tried; false passes it over
 * @throws Error after 200 ports that were not free
 */
export async function freeLoopbackPort(claim: (port: number) => boolean = () => true): Promise<number> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (claim(port) && (await canListen(port))) return port;
  }
  throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1 after ${MAX_TRIES} tries`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
