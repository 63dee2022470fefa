import type { ITxnResponse } from 'etcd3';
import { buildNestedTxn, parseNestedTxn } from './nested-txn.js';

const header = { cluster_id: '1', member_id: '2', revision: '900719925474', raft_term: '1' };
const answer = (responses: unknown[]): ITxnResponse => ({ header, succeeded: true, responses }) as ITxnResponse;
const won = { response: 'response_txn', response_txn: { succeeded: true, responses: [{}] } };
const lost = (kvs: unknown[]) => ({
  response: 'response_txn',
  response_txn: { succeeded: false, responses: [{ response_range: { kvs } }] },
});

describe('nested Txn', () => {
  it('guards each write by itself, and asks for the present value where the guard does not hold', () => {
    const key = Buffer.from('a');
    const value = Buffer.from('v');
    expect(buildNestedTxn([{ key: 'a', guard: 7, value, lease: '9' }])).toEqual({
      success: [
        {
          request_txn: {
            compare: [{ result: 'Equal', target: 'Mod', key, mod_revision: '7' }],
            success: [{ request_put: { key, value, lease: '9' } }],
            failure: [{ request_range: { key } }],
          },
        },
      ],
    });
    const [op] = buildNestedTxn([{ key: 'a', guard: 0, value }]).success!;
    expect(op!.request_txn!.success).toEqual([{ request_put: { key, value } }]);
  });

  it('has one result per write, in their order, and the outer header', () => {
    const value = Buffer.from('{}');
    const parsed = parseNestedTxn(answer([won, lost([{ value, mod_revision: '12' }]), lost([]), won]), 4);
    expect(parsed.header).toBe(header);
    expect(parsed.results).toEqual([
      { won: true },
      { won: false, current: { value, revision: 12 } },
      { won: false, current: null },
      { won: true },
    ]);
  });

  it('does not take an answer for another number of writes', () => {
    expect(() => parseNestedTxn(answer([won]), 2)).toThrow('1 of 2');
  });
});
