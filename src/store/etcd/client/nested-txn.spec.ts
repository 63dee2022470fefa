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
    const parsed = parseNestedTxn(answer([won, lost([{ value, mod_revision: '12' }]), lost([]), won]), [
      {},
      {},
      {},
      {},
    ]);
    expect(parsed.header).toBe(header);
    expect(parsed.results).toEqual([
      { won: true },
      { won: false, current: { value, revision: 12 }, fenced: false },
      { won: false, current: null, fenced: false },
      { won: true },
    ]);
  });

  it('compares the fence too, and tells a fence that did not hold from a guard that did not', () => {
    const value = Buffer.from('{}');
    const put = { key: 'a', guard: 7, value, fence: { key: 'claim', revision: 5 } };
    const [a, claim] = [Buffer.from('a'), Buffer.from('claim')];
    expect(buildNestedTxn([put]).success![0]!.request_txn).toMatchObject({
      compare: [
        { target: 'Mod', key: a, mod_revision: '7' },
        { target: 'Mod', key: claim, mod_revision: '5' },
      ],
      failure: [{ request_range: { key: a } }, { request_range: { key: claim } }],
    });
    const answers = [[5], [6], []].map((claims) => ({
      response: 'response_txn',
      response_txn: {
        succeeded: false,
        responses: [
          { response_range: { kvs: [] } },
          { response_range: { kvs: claims.map((revision) => ({ value, mod_revision: String(revision) })) } },
        ],
      },
    }));
    const { results } = parseNestedTxn(answer(answers), [put, put, put]);
    expect(results.map((result) => !result.won && result.fenced)).toEqual([false, true, true]);
  });

  it('does not take an answer for another number of writes', () => {
    expect(() => parseNestedTxn(answer([won]), [{}, {}])).toThrow('1 of 2');
  });
});
