import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { build } from 'esbuild';
import { resolve } from 'node:path';
import { freePort } from './ports.js';

export interface PageServer {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * A page with one script at `/` and `/back`, and a node behind the same origin: nodes have no CORS headers. Streams and WebSockets go
 * through as they come, and `Host` as the browser sends it.
 * @param node URL of the node
 * @param script an ES module; imports are relative to the repository, such as `./src/sdk/index.js`
 */
export async function startPageServer(node: string, script: string): Promise<PageServer> {
  const code = await bundleOf(script);
  const server = createServer((asked, answer) => {
    answer.on('error', () => undefined);
    if (/^\/(back)?([?].*)?$/.test(asked.url!)) answer.setHeader('content-type', 'text/html').end(PAGE);
    else if (asked.url === '/page.js') answer.setHeader('content-type', 'text/javascript').end(code);
    else if (asked.url === '/favicon.ico') answer.writeHead(204).end();
    else {
      const { method, url, headers } = asked;
      const onward = request(new URL(url!, node), { method, headers, agent: false }, (answered) => {
        answer.writeHead(answered.statusCode!, answered.headers);
        answer.flushHeaders();
        answered.on('error', () => answer.destroy()).pipe(answer);
      });
      answer.on('close', () => onward.destroy());
      asked.pipe(onward.on('error', () => answer.destroy()));
    }
  });
  server.on('upgrade', (asked: IncomingMessage, socket: Socket, head: Buffer) => upgrade(node, asked, socket, head));
  // Those that were upgraded too, which the server does not count as its own any more.
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => void sockets.add(socket.on('close', () => sockets.delete(socket))));
  const port = await freePort();
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${port}`, stop: () => stop(server, sockets) };
}

const PAGE = '<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="/page.js"></script>';

async function bundleOf(contents: string): Promise<string> {
  const { outputFiles } = await build({
    ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', write: false, logLevel: 'silent' },
    stdin: { contents, resolveDir: resolve('.'), loader: 'ts' },
  });
  return outputFiles[0]!.text;
}

function upgrade(node: string, { method, url, rawHeaders }: IncomingMessage, socket: Socket, head: Buffer): void {
  const { hostname, port } = new URL(node);
  const onward = connect(Number(port), hostname, () => {
    const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
    onward.write(`${method} ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    onward.write(head);
    socket.pipe(onward).pipe(socket);
  });
  for (const [one, other] of [
    [socket, onward],
    [onward, socket],
  ] as const)
    one.on('error', () => other.destroy()).on('close', () => other.destroy());
}

async function stop(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise((done) => server.close(done));
}
