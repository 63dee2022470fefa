import { remembering } from './remembering.js';
import { SignatureFault } from './signature-fault.js';

function counted(max: number) {
  const calls: string[] = [];
  const parse = remembering((text: string) => {
    calls.push(text);
    return text.startsWith('!') ? new SignatureFault('AUTH_101', text) : { text };
  }, max);
  return { parse, calls };
}

describe('a parser that remembers', () => {
  it('parses a text once', () => {
    const { parse, calls } = counted(2);
    expect(parse('a')).toEqual({ text: 'a' });
    expect(parse('a')).toBe(parse('a'));
    expect(calls).toEqual(['a']);
  });

  it('remembers as many as it may', () => {
    const { parse, calls } = counted(2);
    for (const text of ['a', 'b', 'a', 'c', 'c', 'a', 'a']) expect(parse(text)).toEqual({ text });
    expect(calls).toEqual(['a', 'b', 'c', 'a']);
  });

  it('remembers neither faults nor long texts', () => {
    const { parse, calls } = counted(2);
    const long = 'a'.repeat(1001);
    for (const text of ['!', '!', long, long]) parse(text);
    expect(parse('!')).toEqual(new SignatureFault('AUTH_101', '!'));
    expect(calls).toEqual(['!', '!', long, long, '!']);
  });
});
