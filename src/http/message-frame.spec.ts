import { messageFrame } from './message-frame.js';

describe('messageFrame', () => {
  it.each([
    [0, [0x81, 0]],
    [125, [0x81, 125]],
    [126, [0x81, 126, 0, 126]],
    [65_535, [0x81, 126, 0xff, 0xff]],
    [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ])('puts the length of %i bytes before them, as RFC 6455 section 5.2 has it', (bytes, head) => {
    const frame = messageFrame('x'.repeat(bytes));
    expect([...frame.subarray(0, head.length)]).toEqual(head);
    expect(frame.subarray(head.length).toString()).toBe('x'.repeat(bytes));
  });

  it('counts bytes, not characters', () => {
    expect([...messageFrame('é')]).toEqual([0x81, 2, 0xc3, 0xa9]);
  });
});
