import { isForeignOrigin } from './foreign-origin.js';

describe('isForeignOrigin', () => {
  it.each([
    [undefined, '127.0.0.1:8080', undefined, false],
    ['http://127.0.0.1:8080', '127.0.0.1:8080', undefined, false],
    // A page of a development server, and clients that put any scheme and port there.
    ['http://localhost:5173', '127.0.0.1:8080', undefined, false],
    ['https://127.0.0.1:8080', '127.0.0.1:8080', undefined, false],
    ['http://[::1]:8080', 'localhost:8080', undefined, false],
    ['https://umbra.example', 'umbra.example', undefined, false],
    ['https://umbra.example', 'umbra-1:8080', 'umbra.example', false],
    ['http://evil.example', '127.0.0.1:8080', undefined, true],
    ['http://127.0.0.1.evil.example', '127.0.0.1:8080', undefined, true],
    ['http://localhost', 'umbra.example', undefined, true],
    ['http://evil.example', 'umbra.example', 'umbra.example', true],
    ['null', '127.0.0.1:8080', undefined, true],
    ['file://', '127.0.0.1:8080', undefined, true],
    ['', '127.0.0.1:8080', undefined, true],
    ['http://evil.example', undefined, undefined, true],
  ] as const)('origin %j at %j, forwarded for %j: %j', (origin, host, forwarded, expected) => {
    const headers = {
      ...(origin !== undefined && { origin }),
      ...(host !== undefined && { host }),
      ...(forwarded !== undefined && { 'x-forwarded-host': forwarded }),
    };
    expect(isForeignOrigin(headers)).toBe(expected);
  });
});
