import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { hasLastAnswer } from './last-answer.js';
import { newRequestId } from './request-id.js';
import { isStreamed } from './streamed-body.js';

interface Rejection {
  readonly status: string;
  readonly title: string;
}

const REJECTIONS: Readonly<Record<string, Rejection>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', title: 'The request did not arrive in time' },
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', title: 'The request headers are too large' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: '413 Payload Too Large', title: 'The chunk extensions are too large' },
};
const NOT_HTTP: Rejection = { status: '400 Bad Request', title: 'The request is not valid HTTP/1.1' };

/**
 * Answers bytes that never became a request, or that are no body. Neither Fastify nor Nest has seen them, so only the
 * socket exists. Each request of a connection has one answer, in the order of requests: this one comes after all others.
 */
export class ClientErrors {
  /** The response to the last request whose head has arrived. */
  readonly #latest = new WeakMap<Socket, ServerResponse>();
  /** The response that must end before another of its connection, where there is one. */
  readonly #before = new WeakMap<ServerResponse, ServerResponse>();

  watch(server: Server): void {
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      const before = this.#latest.get(socket);
      if (before && isOpen(before)) this.#before.set(response, before);
      this.#latest.set(socket, response);
    });
  }

  answer(error: NodeJS.ErrnoException, socket: Socket): void {
    const latest = this.#latest.get(socket);
    // Its handler says for how long it may come. Node asks once for each request.
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && latest && isStreamed(latest.req) && !latest.req.complete) return;
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    // The connection ends with an answer that is under way.
    if (hasLastAnswer(socket)) return;
    // The error may lie in the body of the latest request, and that may have its answer already.
    const isInBody = latest?.req.complete === false;
    if (isInBody && latest.headersSent) return void socket.destroy();
    const last = isInBody ? this.#before.get(latest) : latest;
    if (last === undefined || !isOpen(last)) return end(socket, error);
    last.once('close', () => (socket.writable ? end(socket, error) : socket.destroy()));
  }
}

const isOpen = (response: ServerResponse): boolean => !response.writableFinished && !response.destroyed;

function end(socket: Socket, error: NodeJS.ErrnoException): void {
  const { status, title } = REJECTIONS[error.code ?? ''] ?? NOT_HTTP;
  const requestId = newRequestId();
  const code = Number(status.slice(0, 3));
  // The path is unknown, so the body has the members of both doors: `message` and `traceId` are those of AWS.
  const body = JSON.stringify({
    type: 'about:blank',
    title,
    status: code,
    message: title,
    traceId: requestId,
    requestId,
  });
  const head = [
    `HTTP/1.1 ${status}`,
    'connection: close',
    'content-type: application/problem+json',
    'x-amzn-errortype: InvalidRequestException:',
    `x-amzn-requestid: ${requestId}`,
    `x-request-id: ${requestId}`,
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
