import fc from 'fast-check';
import { conversation, cut } from '../../../../test/harness/mqtt-arbitraries.js';
import { type Recorded, recordingReader } from '../../../../test/harness/recorded-packets.js';
import { ProtocolError } from './protocol-error.js';

const OPTIONS = { maxPacketBytes: 1 << 20, maxFilters: 8 };
const level = fc.constantFrom(4, 5);
const places = fc.array(fc.nat(), { maxLength: 12 });

/** What a reader made of some chunks: its packets, and the reason of its refusal. */
interface Outcome {
  readonly packets: readonly Recorded[];
  readonly refusal: number | null;
  /** Whether it still waits for bytes. */
  readonly waits: boolean;
}

/** @param pauses after which packets the reader is paused, and resumed when the chunk is through */
function outcomeOf(chunks: readonly Buffer[], pauses: readonly boolean[] = [], length?: number): Outcome {
  const { reader, handler } = recordingReader(OPTIONS);
  handler.then = () => {
    if (pauses[handler.packets.length % pauses.length]) reader.pause();
  };
  let refusal: number | null = null;
  try {
    for (const chunk of chunks) {
      reader.read(chunk, length);
      while (reader.isPaused) reader.resume();
      // The bytes are valid only during the call.
      chunk.fill(0x55);
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    refusal = error.reason;
  }
  return { packets: handler.packets, refusal, waits: reader.incompleteSince !== null };
}

const bytesOf = (examples: readonly { readonly bytes: Buffer }[]): Buffer =>
  Buffer.concat(examples.map((example) => example.bytes));

/** One thing done to the bytes of a conversation. */
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(), value: fc.nat({ max: 255 }) }),
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), value: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), value: fc.nat({ max: 255 }) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(), value: fc.constant(0) }),
  fc.record({ kind: fc.constant('cut off' as const), at: fc.nat(), value: fc.constant(0) }),
  fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(), value: fc.nat({ max: 30 }) }),
);

function mutated(bytes: Buffer, { kind, at, value }: { kind: string; at: number; value: number }): Buffer {
  const place = at % Math.max(1, bytes.length);
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place + 1)];
  const byte = bytes[place] ?? 0;
  if (kind === 'set') return Buffer.concat([before, Buffer.from([value]), after]);
  if (kind === 'flip') return Buffer.concat([before, Buffer.from([byte ^ (1 << value)]), after]);
  if (kind === 'insert') return Buffer.concat([before, Buffer.from([value, byte]), after]);
  if (kind === 'remove') return Buffer.concat([before, after]);
  if (kind === 'cut off') return Buffer.from(before);
  return Buffer.concat([bytes.subarray(0, place + value), bytes.subarray(place)]);
}

const broken = fc
  .tuple(level.chain(conversation), fc.array(mutation, { minLength: 1, maxLength: 3 }))
  .map(([examples, mutations]) => mutations.reduce(mutated, bytesOf(examples)));

describe('the reader', () => {
  it('gives the same as was encoded by mqtt-packet, however the bytes are cut', () => {
    fc.assert(
      fc.property(level.chain(conversation), places, (examples, cuts) => {
        const packets = examples.map((example) => example.expected);
        const bytes = bytesOf(examples);
        expect(outcomeOf(cut(bytes, cuts))).toEqual({ packets, refusal: null, waits: false });
        expect(outcomeOf(cut(bytes, []))).toEqual({ packets, refusal: null, waits: false });
      }),
      { numRuns: 150 },
    );
  });

  it('comes to the same with pauses anywhere', () => {
    const pauses = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(level.chain(conversation), places, pauses, (examples, cuts, when) => {
        const bytes = bytesOf(examples);
        expect(outcomeOf(cut(bytes, cuts), when)).toEqual(outcomeOf(cut(bytes, [])));
      }),
      { numRuns: 100 },
    );
  });

  it('refuses broken packets by nothing but a ProtocolError, the same one however they are cut', () => {
    fc.assert(
      fc.property(broken, places, (bytes, cuts) => {
        const whole = outcomeOf(cut(bytes, []));
        expect(outcomeOf(cut(bytes, cuts))).toEqual(whole);
        expect(outcomeOf(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  it('comes to the same whatever stands around the bytes that it may read', () => {
    const around = (bytes: Buffer, filler: number): Buffer => {
      const room = Buffer.alloc(bytes.length + 200, filler);
      bytes.copy(room, 100);
      return room.subarray(100);
    };
    fc.assert(
      fc.property(broken, (bytes) => {
        const results = [0x00, 0x01, 0xff].map((filler) => outcomeOf([around(bytes, filler)], [], bytes.length));
        expect(results[1]).toEqual(results[0]);
        expect(results[2]).toEqual(results[0]);
      }),
      { numRuns: 150 },
    );
  });

  it('survives noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, afterConnect) => {
        const connect = afterConnect ? [0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 2, 0, 0, 0, 0, 0] : [];
        outcomeOf([Buffer.from([...connect, ...noise])]);
      }),
      { numRuns: 1000 },
    );
  });
});
