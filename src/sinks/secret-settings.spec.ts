import { splitSecrets } from './secret-settings.js';

const before = { settings: { servers: ['a', 'b'] }, secrets: { password: 'hush' } };
const split = (given: object, known: typeof before | null = before) =>
  splitSecrets(given as Record<string, unknown>, ['password'], known, 'servers');

describe('the secrets of a request', () => {
  it.each<[string, object, object]>([
    ['stay for the servers that had them', { servers: ['b'] }, { password: 'hush' }],
    ['are those that are given', { servers: ['c'], password: 'new' }, { password: 'new' }],
    ['are taken away by null', { servers: ['c'], password: null }, {}],
  ])('%s', (_, given, secrets) => {
    expect(split(given).secrets).toEqual(secrets);
  });

  it('are not sent to a server that they were not given for', () => {
    expect(() => split({ servers: ['a', 'c'] })).toThrow('settings.password was given for another server');
    expect(split({ servers: ['c'] }, null).secrets).toEqual({});
  });

  it.each(['', 'a\r\nPUB x', 'a\u0000', 'x'.repeat(1025), 7])('are not %j', (password) => {
    expect(() => split({ servers: ['a'], password })).toThrow('text of 1 to 1024 printable characters');
  });
});
