import type { Socket } from 'node:net';
import { newRequestId } from './request-id.js';

interface Refusal {
  readonly status: string;
  readonly title: string;
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', title: 'The request did not arrive in time' },
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', title: 'The request headers are too large' },
};
const NOT_HTTP: Refusal = { status: '400 Bad Request', title: 'The request is not valid HTTP/1.1' };

/** Answers what never became a request: nothing of Fastify or Nest has seen it, there is only a socket. */
export function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const { status, title } = REFUSALS[error.code ?? ''] ?? NOT_HTTP;
  const requestId = newRequestId();
  const code = Number(status.slice(0, 3));
  // `message` and `traceId` beside the problem members: it is not known which door was meant.
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
