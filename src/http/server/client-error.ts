import type { Socket } from 'node:net';
import { newRequestId } from './request-id.js';

interface Rejection {
  readonly status: string;
  readonly title: string;
}

const REJECTIONS: Readonly<Record<string, Rejection>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', title: 'The request did not arrive in time' },
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', title: 'The request headers are too large' },
};
const NOT_HTTP: Rejection = { status: '400 Bad Request', title: 'The request is not valid HTTP/1.1' };

/** Answers bytes that never became a request. Neither Fastify nor Nest has seen them, so only the socket exists. */
export function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
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
