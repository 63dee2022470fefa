import { readHeaders, writeHeader, writeRequest } from './header-block.js';
import { readHuffman } from './huffman.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const read = (block: string): [string, string][] => [...readHeaders(hex(block))];

describe('readHeaders', () => {
  // The examples of RFC 7541, appendix C, that need no dynamic table.
  it.each([
    ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', [['custom-key', 'custom-header']]],
    ['040c 2f73 616d 706c 652f 7061 7468', [[':path', '/sample/path']]],
    ['1008 7061 7373 776f 7264 0673 6563 7265 74', [['password', 'secret']]],
    ['82', [[':method', 'GET']]],
    [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
      ],
    ],
    ['90', [['accept-encoding', 'gzip, deflate']]],
    ['bd', [['www-authenticate', '']]],
    // The dynamic table is said to have no place, as the settings demand.
    ['20 88', [[':status', '200']]],
  ])('reads %s', (block, headers) => {
    expect(read(block)).toEqual(headers);
  });

  it.each([
    ['an entry of the dynamic table', 'be', 'header 62'],
    ['index 0', '80', 'header 0'],
    ['the name of an entry of the dynamic table', '7f 00 01 61', 'header 63'],
    ['a dynamic table', '3f e1 1f', 'dynamic table'],
    ['a text that is cut off', '04 0c 2f', 'cut off'],
    ['a number that is cut off', 'ff ff', 'cut off'],
    ['a number without end', `ff${'80'.repeat(200)}`, 'too large'],
    ['a length of four gigabytes', '04 7f ff ff ff ff 0f', 'too large'],
    ['no name', '00', 'cut off'],
  ])('refuses %s', (_, block, reason) => {
    expect(() => read(block)).toThrow(
      expect.objectContaining({ name: 'BrokenHttp2', message: expect.stringContaining(reason) }),
    );
  });
});

describe('readHuffman', () => {
  it.each([
    ['f1e3 c2e5 f23a 6ba0 ab90 f4ff', 'www.example.com'],
    ['a8eb 1064 9cbf', 'no-cache'],
    ['9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3', 'https://www.example.com'],
    [
      '94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    ],
    ['', ''],
  ])('reads %s', (code, text) => {
    expect(readHuffman(hex(code))).toBe(text);
  });

  it.each([
    ['is filled up with more than seven bits', 'ff'],
    ['is filled up with zeros', 'f1e3 c2e5 f23a 6ba0 ab90 f400'],
    ['has the end of the text in it', 'ffff fffc'],
    ['is cut off', 'f1e3 c2e5 fe'],
  ])('refuses what %s', (_, code) => {
    expect(() => readHuffman(hex(code))).toThrow(expect.objectContaining({ name: 'BrokenHttp2' }));
  });
});

describe('writeRequest', () => {
  it('is read as it was written, with texts of any length', () => {
    const token = 'a'.repeat(5_000);
    const start = { isSecure: true, authority: 'etcd-1:2379', path: '/etcdserverpb.KV/Txn' };
    const block = Buffer.concat([writeRequest(start, { te: 'trailers', token }), writeHeader('grpc-timeout', '127m')]);
    expect([...readHeaders(block)]).toEqual([
      [':method', 'POST'],
      [':scheme', 'https'],
      [':path', '/etcdserverpb.KV/Txn'],
      [':authority', 'etcd-1:2379'],
      ['te', 'trailers'],
      ['token', token],
      ['grpc-timeout', '127m'],
    ]);
  });
});
