import { once } from 'node:events';
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { frame } from '../../src/store/etcd/client/channel/grpc-message.js';
import { freePort } from './ports.js';

export type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: Promise<Buffer>) => unknown;

/** A server that answers as a test says, well or badly. */
export class GrpcServer {
  readonly sessions: ServerHttp2Session[] = [];
  handler: Handler = (stream) => answer(stream, Buffer.from('answer'));

  private constructor(
    private readonly server: Http2Server,
    readonly port: number,
  ) {}

  static async start(options: ServerOptions = {}): Promise<GrpcServer> {
    const server = createServer(options);
    const grpc = new GrpcServer(server, await freePort());
    server.on('session', (session) => {
      grpc.sessions.push(session);
      session.on('error', () => undefined);
    });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      void grpc.handler(stream, headers, bodyOf(stream));
    });
    server.listen(grpc.port, '127.0.0.1');
    await once(server, 'listening');
    return grpc;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

async function bodyOf(stream: ServerHttp2Stream): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  await once(stream, 'end').catch(() => undefined);
  return Buffer.concat(parts);
}

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };

/** Answers with one message and the status OK. */
export function answer(stream: ServerHttp2Stream, message: Buffer): void {
  answerRaw(stream, [frame(message)], { 'grpc-status': '0' });
}

/** Answers with these bytes, and trailers; null: the stream ends without them. */
export function answerRaw(
  stream: ServerHttp2Stream,
  parts: readonly Buffer[],
  trailers: Record<string, string> | null,
): void {
  stream.respond(HEADERS, { waitForTrailers: trailers !== null });
  if (trailers) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  for (const part of parts) stream.write(part);
  stream.end();
}

/** Answers with a status alone, in the headers. */
export function refuse(stream: ServerHttp2Stream, code: number, details: string): void {
  const status = { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(details) };
  stream.respond({ ...HEADERS, ...status }, { endStream: true });
}
