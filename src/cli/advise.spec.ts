import { execFileSync } from 'node:child_process';
import { adviserFor } from './advise.js';

it('repeats what decides where a command goes, and nothing else', () => {
  const options = { context: 'prod', keyFile: '-', yes: true, json: true, timeout: 3 };
  expect([adviserFor(options, 'acme')('device', 'delete', 'lamp'), adviserFor({})('policy', 'list')]).toEqual([
    'umbra --context prod --key-file - device delete lamp --tenant acme',
    'umbra policy list',
  ]);
});

it('writes each word so that a shell takes it as it was', () => {
  const words = ['a b', "it's", '$HOME', '`id`', '"', '\\', '*', '~', '', 'ü', '#', 'a=b,c:d/e.f-@%+_', '{a,b}', 'x;y'];
  const line = adviserFor({ keyFile: '/tmp/my keys/k' }, '$(t)')(...words);
  const taken = execFileSync('sh', ['-c', `umbra() { printf '%s\\n' "$@"; }; ${line}`], { encoding: 'utf8' });
  expect(taken.split('\n').slice(0, -1)).toEqual(['--key-file', '/tmp/my keys/k', ...words, '--tenant', '$(t)']);
});
