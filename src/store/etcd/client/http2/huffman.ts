import { BrokenHttp2 } from './frame-reader.js';

/**
 * The symbols of the Huffman code of HPACK by the bits of their codes (RFC 7541, appendix B). Within one length the codes
 * follow the symbols, and each length goes on where the one before has ended, so that the lengths say it all. What ends
 * a text has no entry: it must not occur.
 */
const BY_BITS: readonly (readonly [bits: number, symbols: string | readonly number[]])[] = [
  [5, '012aceiost'],
  [6, ' %-./3456789=A_bdfghlmnpru'],
  [7, ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz'],
  [8, '&*,;XZ'],
  [10, '!"()?'],
  [11, "'+|"],
  [12, '#>'],
  [13, '\0$@[]~'],
  [14, '^}'],
  [15, '<`{'],
  [19, [92, 195, 208]],
  [20, [128, 130, 131, 162, 184, 194, 224, 226]],
  [21, [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]],
  [
    22,
    [
      129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, 185, 186, 187, 189, 190, 196, 198,
      228, 232, 233,
    ],
  ],
  [
    23,
    [
      1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157, 158, 165, 166, 168, 174, 175, 180, 182,
      183, 188, 191, 197, 231, 239,
    ],
  ],
  [24, [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]],
  [25, [199, 207, 234, 235]],
  [26, [192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]],
  [27, [203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254]],
  [
    28,
    [2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31, 127, 220, 249],
  ],
  [30, [10, 13, 22]],
];
/** Bits with which a text is filled up to a whole byte: all are 1. */
const MOST_FILLING = 7;
const MOST_BITS = 30;

/** Codes of one length: the first one, and their symbols in order. */
interface Codes {
  readonly first: number;
  readonly symbols: Buffer;
}

const CODES = codesByBits();

function codesByBits(): (Codes | undefined)[] {
  const codes: (Codes | undefined)[] = [];
  let next = 0;
  let before = 0;
  for (const [bits, symbols] of BY_BITS) {
    next <<= bits - before;
    before = bits;
    codes[bits] = {
      first: next,
      symbols: typeof symbols === 'string' ? Buffer.from(symbols, 'latin1') : Buffer.from(symbols),
    };
    next += symbols.length;
  }
  return codes;
}

/**
 * The text of a Huffman code, a character for each byte. Slow, bit by bit: only the reasons of refusals come so.
 * @throws BrokenHttp2 when it is no such code
 */
export function readHuffman(bytes: Buffer): string {
  const text: number[] = [];
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let shift = 7; shift >= 0; shift--) {
      code = (code << 1) | ((byte >> shift) & 1);
      if (++bits > MOST_BITS) throw new BrokenHttp2('a header with an unknown code');
      const codes = CODES[bits];
      const symbol = codes?.symbols[code - codes.first];
      if (symbol === undefined) continue;
      text.push(symbol);
      code = 0;
      bits = 0;
    }
  }
  if (bits > MOST_FILLING || code !== 2 ** bits - 1) throw new BrokenHttp2('a header that is cut off');
  return Buffer.from(text).toString('latin1');
}
