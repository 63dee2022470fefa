import type { ServiceError as CallError } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { failureOf } from '../../test/harness/grpc-client.js';
import { CursorGone } from '../shadow/gone-cursor.js';
import { RevisionGone } from '../store/revision-gone.js';
import { statusOf } from './grpc-error.js';
import { field, fieldNumbers, varint } from './wire.js';

const { root } = protobuf.parse(`syntax = "proto3";
  message All { string a = 1; int64 b = 2; double c = 3; fixed32 d = 4; bytes e = 15; All f = 2000; repeated int32 g = 7; }`);
const All = root.lookupType('All');

describe('what is written by hand', () => {
  it('is a status that clients read', () => {
    const status = statusOf(new RevisionGone('revision 7', 9), 'id');
    expect(failureOf(status as CallError)).toMatchObject({
      ...{ status: 'OUT_OF_RANGE', reason: 'REVISION_GONE' },
      facts: { requestId: 'id', oldestRevision: '9' },
    });
    expect(failureOf(statusOf(new CursorGone('compacted'), 'id') as CallError)).toMatchObject({
      ...{ status: 'OUT_OF_RANGE', reason: 'CURSOR_GONE' },
      facts: { requestId: 'id', reason: 'compacted' },
    });
  });

  it.each([0, 1, 127, 128, 300, 65_535, 2 ** 31 - 1])('is a number that others read: %d', (value) => {
    expect(protobuf.Reader.create(varint(value)).uint32()).toBe(value);
  });

  it('is a field that others read', () => {
    const long = 'ü'.repeat(200);
    expect(All.decode(Buffer.concat([field(1, long), field(15, Buffer.from([0, 255]))])).toJSON()).toEqual({
      a: long,
      e: 'AP8=',
    });
  });
});

describe('the numbers of fields', () => {
  const whole = { a: 'x', b: -1, c: 1.5, d: 7, e: Buffer.from('e'), f: { a: 'inner' }, g: [300] };
  const bytes = Buffer.from(All.encode(All.fromObject(whole)).finish());

  it('are those of all wire types, outermost only', () => {
    expect([...fieldNumbers(bytes)!].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 7, 15, 2000]);
    expect(fieldNumbers(Buffer.alloc(0))).toEqual(new Set());
  });

  it('are none of a message that is cut off in a field', () => {
    // Between two fields a cut cannot be seen: one before each of them.
    const cuts = Array.from(bytes.keys(), (at) => fieldNumbers(bytes.subarray(0, at)));
    expect(cuts.filter((numbers) => numbers !== null)).toHaveLength(Object.keys(whole).length);
    expect(fieldNumbers(bytes.subarray(0, -1))).toBeNull();
  });

  it.each([3, 4, 6, 7])('are none of the wire type %d, which no message of ours has', (type) => {
    expect(fieldNumbers(Buffer.from([(1 << 3) | type, 0]))).toBeNull();
  });
});
