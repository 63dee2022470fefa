import { applyUpdate } from '../document/apply-update.js';
import { DEFAULT_LIMITS } from '../document/limits.js';
import { parseTransaction } from './parse-transaction.js';
import { transactionAnswer } from './transaction-texts.js';

const desired = (text: string) =>
  applyUpdate(null, { state: { desired: { text } } }, { now: 0, limits: DEFAULT_LIMITS });

it('shows each document once, and none beyond what is kept', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'none', 'f'];
  const operations = [...names, 'a', 'e', 'none'].map((thing) => ({ op: 'check', thing }));
  const request = parseTransaction(Buffer.from(JSON.stringify({ operations })), DEFAULT_LIMITS);
  const states = names.map((name) => (name === 'none' ? null : desired('x'.repeat(name === 'f' ? 10 : 8_000))));
  const { body } = transactionAnswer(
    names.map((thing) => ({ thing, shadow: null })),
    states,
    request,
  );
  const { results } = JSON.parse(body.replace('"revision":', '"revision":1')) as {
    results: { thing: string; version: number | null; state?: object; omitted?: string }[];
  };
  const seen = results.map(({ thing, version, state, omitted }) => [
    thing,
    version,
    omitted ?? (state ? 'shown' : null),
  ]);
  expect(seen).toEqual([
    ...['a', 'b', 'c', 'd'].map((name) => [name, 1, 'shown']),
    ['e', 1, 'too-large'],
    ['none', null, null],
    ['f', 1, 'shown'],
    ['a', 1, 'shown-before'],
    ['e', 1, 'too-large'],
    ['none', null, null],
  ]);
  expect(Buffer.byteLength(body)).toBeLessThan(36_000);
});
