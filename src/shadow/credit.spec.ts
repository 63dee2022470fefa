import { Credit, MAX_CREDIT, readGrant } from './credit.js';

describe('the credit of a client', () => {
  it('is spent by events, and comes back by grants', async () => {
    const credit = new Credit(1);
    expect(credit.available()).toBe(true);
    credit.spend();
    const later = credit.available();
    expect(later).toBeInstanceOf(Promise);
    expect(credit.grant(2)).toBe(true);
    expect(await later).toBe(true);
    credit.spend();
    expect(credit.available()).toBe(true);
    credit.spend();
    expect(credit.available()).not.toBe(true);
  });

  it('never runs out where it is not limited', () => {
    const credit = new Credit(null);
    for (let i = 0; i < 3; i++) credit.spend();
    expect([credit.isLimited, credit.available()]).toEqual([false, true]);
  });

  it('ends the wait for it, and every later one', async () => {
    const credit = new Credit(0);
    const waiting = credit.available();
    credit.abandon();
    expect(await waiting).toBe(false);
    expect(credit.available()).toBe(false);
  });

  it('is bounded', () => {
    const credit = new Credit(MAX_CREDIT - 1);
    expect(credit.grant(2)).toBe(false);
    expect(credit.grant(1)).toBe(true);
  });
});

describe('a message of a client', () => {
  it.each([
    ['{"type":"credit","events":1}', 1],
    ['{"type":"credit","events":1000000}', 1_000_000],
    ['{"type":"credit","events":0}', 'events must be a whole number from 1 to 1000000'],
    ['{"type":"credit","events":1000001}', 'events must be a whole number from 1 to 1000000'],
    ['{"type":"credit","events":1.5}', 'events must be a whole number from 1 to 1000000'],
    ['{"type":"credit","events":"1"}', 'events must be a whole number from 1 to 1000000'],
    ['{"type":"credit"}', 'events must be a whole number from 1 to 1000000'],
    ['{"type":"subscribe"}', 'the only type of message is credit'],
    ['{"__proto__":{"type":"credit","events":1}}', 'the only type of message is credit'],
    ['[]', 'the only type of message is credit'],
    ['null', 'the only type of message is credit'],
    ['', 'a message was no JSON'],
    ['{', 'a message was no JSON'],
  ])('%s is %j', (text, found) => expect(readGrant(text)).toBe(found));
});
