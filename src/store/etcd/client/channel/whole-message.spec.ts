import { frame } from './grpc-message.js';
import { WholeMessage } from './whole-message.js';

describe('an answer', () => {
  it('is one message, in whatever pieces it comes', () => {
    const framed = frame(Buffer.from('answer'));
    for (const size of [1, 4, 5, 6, 100]) {
      const answer = new WholeMessage(100);
      for (let at = 0; at < framed.length; at += size) answer.add(framed.subarray(at, at + size));
      expect(String(answer.whole())).toBe('answer');
    }
  });

  it('is refused as soon as it is longer than its message', () => {
    const answer = new WholeMessage(100);
    answer.add(frame(Buffer.from('answer')));
    expect(() => answer.add(Buffer.from('x'))).toThrow('longer than its message');
  });
});
