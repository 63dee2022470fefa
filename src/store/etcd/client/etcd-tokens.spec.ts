import { CallHung } from './etcd-error.js';
import { EtcdTokens } from './etcd-tokens.js';

describe('EtcdTokens', () => {
  it('asks once for all calls, and once more after a failure', async () => {
    const answers = [Promise.reject(new Error('no leader')), Promise.resolve('second')];
    let asked = 0;
    const tokens = new EtcdTokens(() => answers[asked++]!, 1_000);
    const calls = [tokens.get('a'), tokens.get('a')];
    for (const call of calls) await expect(call).rejects.toThrow('no leader');
    expect(await Promise.all([tokens.get('a'), tokens.get('a')])).toEqual(['second', 'second']);
    expect(asked).toBe(2);
  });

  it('asks again when the question for a token never ends', async () => {
    const answers = [new Promise<string>(() => undefined), Promise.resolve('second')];
    const tokens = new EtcdTokens(() => answers.shift()!, 1);
    await expect(tokens.get('a')).rejects.toThrow(CallHung);
    expect(await tokens.get('a')).toBe('second');
  });
});
