import { EventEmitter } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { frame } from './grpc-message.js';
import { statusError } from './grpc-status.js';
import { UnaryCall } from './unary-call.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What a call uses of a stream. Node holds the listeners of an ended one for long. */
function fakeStream(): ClientHttp2Stream & EventEmitter {
  return Object.assign(new EventEmitter(), { end: () => undefined, close: () => undefined }) as never;
}

const connection = { reason: 'none', suspect: () => undefined };

function begin(stream: ClientHttp2Stream): { request: WeakRef<Buffer>; answer: Promise<Buffer> } {
  const message = Buffer.allocUnsafeSlow(1024);
  const answer = new Promise<Buffer>((resolve, reject) => {
    const call = new UnaryCall({ message, timeoutMs: 60_000, refusal: statusError, resolve, reject });
    call.start(stream, connection);
  });
  return { request: new WeakRef(message), answer };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a call that has ended', () => {
  it.each([
    ['with an answer', '0', 'resolved'],
    ['with an error', '14', 'rejected'],
  ])('holds no request, whoever holds its stream: %s', async (_, status, end) => {
    const stream = fakeStream();
    const { request, answer } = begin(stream);
    stream.emit('response', { ':status': 200 });
    stream.emit('data', frame(Buffer.from('answer')));
    stream.emit('end');
    stream.emit('trailers', { 'grpc-status': status });
    await expect(
      answer.then(
        () => 'resolved',
        () => 'rejected',
      ),
    ).resolves.toBe(end);
    await turn();
    collect();
    expect(request.deref()).toBeUndefined();
    expect(stream.listenerCount('data')).toBe(1);
  });
});
