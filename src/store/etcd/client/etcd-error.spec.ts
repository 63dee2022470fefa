import {
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCCancelledError,
  GRPCDeadlineExceededError,
  GRPCInternalError,
  GRPCInvalidArgumentError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
  GRPCUnavailableError,
  GRPCUnknownError,
} from 'etcd3';
import { CallHung, classify, isOutsideHistory, needsNewClient } from './etcd-error.js';

describe('errors of etcd', () => {
  it.each([
    ['not-applied', new GRPCUnavailableError('14 UNAVAILABLE: No connection established. Last error: ECONNREFUSED')],
    ['not-applied', new GRPCUnavailableError('14 UNAVAILABLE: Channel closed before call started')],
    ['not-applied', new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: no leader')],
    ['not-applied', new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: etcdserver: too many requests')],
    [
      'not-applied',
      new GRPCDeadlineExceededError('4 DEADLINE_EXCEEDED: Deadline exceeded after 1.0s,Waiting for LB pick'),
    ],
    ['not-applied', new EtcdInvalidAuthTokenError('etcdserver: invalid auth token')],
    ['not-applied', new GRPCInvalidArgumentError('3 INVALID_ARGUMENT: etcdserver: revision of auth store is old')],
    ['not-applied', new GRPCUnauthenticatedError('16 UNAUTHENTICATED: token refused: revision of auth store is old')],
    ['not-applied', new EtcdAuthenticationFailedError('etcdserver: authentication failed')],
    [
      'in-doubt',
      new GRPCDeadlineExceededError('4 DEADLINE_EXCEEDED: Deadline exceeded after 1.0s,LB pick: 0.001s,remote_addr=x'),
    ],
    ['in-doubt', new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: request timed out')],
    ['in-doubt', new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: leader changed')],
    ['in-doubt', new GRPCUnavailableError('14 UNAVAILABLE: Connection dropped')],
    ['in-doubt', new GRPCUnavailableError('14 UNAVAILABLE: read ECONNRESET')],
    ['in-doubt', new GRPCUnknownError('2 UNKNOWN: context deadline exceeded')],
    // Said after the proposal has gone to the others, so they may apply it.
    ['in-doubt', new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: server stopped')],
    ['in-doubt', new GRPCUnknownError('2 UNKNOWN: raft: stopped')],
    ['in-doubt', new GRPCCancelledError('1 CANCELLED: Call cancelled')],
    ['in-doubt', new GRPCInternalError('13 INTERNAL: Received RST_STREAM with code 2')],
    // The answer to a write that was taken.
    ['in-doubt', new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: Received message larger than max (5 vs 4)')],
    ['in-doubt', new CallHung('no end of the call')],
    ['in-doubt', new Error('never seen before')],
    ['in-doubt', 'not even an error'],
    ['storage-full', new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded')],
    ['too-large', new GRPCInvalidArgumentError('3 INVALID_ARGUMENT: etcdserver: request is too large')],
    ['too-large', new GRPCInvalidArgumentError('3 INVALID_ARGUMENT: etcdserver: too many operations in txn request')],
    [
      'too-large',
      new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: grpc: received message larger than max (3 vs. 2)'),
    ],
    ['lease-gone', new EtcdLeaseInvalidError('7')],
    ['refused', new GRPCInvalidArgumentError('3 INVALID_ARGUMENT: etcdserver: duplicate key given in txn request')],
    ['refused', new EtcdPermissionDeniedError('7 PERMISSION_DENIED: etcdserver: permission denied')],
    ['refused', new GRPCOutOfRangeError('11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted')],
  ])('are %s: %s', (fault, error) => {
    expect(classify(error)).toBe(fault);
  });

  it('tell a revision that is gone, or not there yet, from everything else', () => {
    expect(isOutsideHistory(new GRPCOutOfRangeError('etcdserver: mvcc: required revision has been compacted'))).toBe(
      true,
    );
    expect(isOutsideHistory(new GRPCOutOfRangeError('etcdserver: mvcc: required revision is a future revision'))).toBe(
      true,
    );
    expect(isOutsideHistory(new GRPCUnavailableError('etcdserver: no leader'))).toBe(false);
  });

  it('call for a new client when it is closed or hangs', () => {
    expect(needsNewClient(new ClientClosedError('KV'))).toBe(true);
    expect(needsNewClient(new CallHung('no end'))).toBe(true);
    expect(needsNewClient(new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: no leader'))).toBe(false);
  });
});
