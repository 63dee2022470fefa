import fc from 'fast-check';
import { decodeMessage } from '../../../../test/harness/etcd-messages.js';
import { HEAD_BYTES } from '../client/channel/grpc-message.js';
import { createRequest, progressRequest } from './watch-request.js';

/** What the library of etcd3 reads from a request, without the head of gRPC. */
function read(request: Buffer): Record<string, unknown> {
  expect(request.readUInt32BE(1)).toBe(request.length - HEAD_BYTES);
  return decodeMessage('WatchRequest', request.subarray(HEAD_BYTES));
}

describe('a request of a watch that is encoded by hand', () => {
  it('property: is what the library of etcd3 reads', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((each) => Buffer.from(each));
    fc.assert(
      fc.property(bytes, bytes, fc.maxSafeNat(), (key, rangeEnd, startRevision) => {
        expect(read(createRequest({ key, rangeEnd, startRevision }))).toEqual({
          create_request: {
            key,
            range_end: rangeEnd,
            start_revision: String(startRevision),
            progress_notify: true,
            fragment: true,
          },
        });
      }),
    );
  });

  it('asks for progress', () => {
    expect(read(progressRequest())).toEqual({ progress_request: {} });
  });
});
