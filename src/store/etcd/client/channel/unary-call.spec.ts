import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Http2Stream } from '../http2/http2-stream.js';
import { frame } from './grpc-message.js';
import { statusError } from './grpc-status.js';
import { UnaryCall } from './unary-call.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const lines = { send: () => undefined, grant: () => undefined, reset: () => undefined };
const connection = { reason: 'none', suspect: () => undefined };

function begin(stream: Http2Stream): { request: WeakRef<Buffer>; answer: Promise<Buffer> } {
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
    const stream = new Http2Stream(1, lines, 65_535, 65_535);
    const { request, answer } = begin(stream);
    stream.receiveHeaders(new Map([[':status', '200']]));
    stream.receive(frame(Buffer.from('answer')));
    stream.receiveHeaders(new Map([['grpc-status', status]]));
    stream.finish();
    await expect(
      answer.then(
        () => 'resolved',
        () => 'rejected',
      ),
    ).resolves.toBe(end);
    await turn();
    collect();
    expect(request.deref()).toBeUndefined();
    expect(stream.isClosed).toBe(true);
  });
});
