import { readObject, RecordFault, type NameRule, type RecordReader } from './record-reader.js';

/** How the records of one kind are named, read and written. */
export interface RecordKind<R> {
  /** For messages. */
  readonly noun: string;
  /** First part of the key. */
  readonly folder: string;
  /** The other parts of the key. */
  readonly parts: readonly NameRule[];
  /** Bytes of one record in etcd. */
  readonly maxBytes: number;
  /** Records that may be created. */
  readonly most: number;
  /**
   * @param names the parts of the key
   * @throws RecordFault
   */
  read(reader: RecordReader, names: readonly string[]): R;
  /** The members besides `format`, as JSON takes them. */
  write(record: R): object;
  /** Stands in for a record that cannot be read: whatever that said, this allows no more. */
  closed(names: readonly string[]): R;
}

/** The format of all records of access. Another one says what this version cannot know, so it is refused. */
export const RECORD_FORMAT = 1;
/** Member that names the write by which a record was put. */
const WRITE = 'write';
export const MAX_RECORD_BYTES = 64 * 1024;

/** The key of a record below the path of access. No errors. */
export function keyOf<R>({ folder }: RecordKind<R>, names: readonly string[]): string {
  return [folder, ...names].join('/');
}

/** Checks the names of a record before they become a key. @throws RecordFault */
export function checkNames<R>({ noun, parts }: RecordKind<R>, names: readonly string[]): void {
  if (names.length !== parts.length) throw new RecordFault(`A ${noun} has ${parts.length} names, not ${names.length}`);
  for (const [i, { pattern, words }] of parts.entries()) {
    if (!pattern.test(names[i] ?? '')) throw new RecordFault(`Name ${i + 1} of the ${noun} must be ${words}`);
  }
}

/**
 * Reads the text of one record.
 * @throws RecordFault that names the record, and a format that is not known
 */
export function decodeRecord<R>(kind: RecordKind<R>, names: readonly string[], text: string): R {
  const place = keyOf(kind, names);
  checkSize(kind, text, place);
  return readObject(parse(text, place), place, (reader) => {
    const format = reader.count('format', 0, Number.MAX_SAFE_INTEGER);
    if (format !== RECORD_FORMAT)
      throw new RecordFault(`${place} has format ${format}; this version reads format ${RECORD_FORMAT} only`);
    reader.allow(WRITE);
    return kind.read(reader, names);
  });
}

/**
 * The text of a record, checked as it will be when it is read.
 * @param write tells two writes of the same record apart
 * @throws RecordFault
 */
export function encodeRecord<R>(kind: RecordKind<R>, names: readonly string[], record: R, write?: string): string {
  checkNames(kind, names);
  const text = JSON.stringify({ format: RECORD_FORMAT, ...kind.write(record), [WRITE]: write });
  decodeRecord(kind, names, text);
  return text;
}

function checkSize<R>({ maxBytes }: RecordKind<R>, text: string, place: string): void {
  // No character of UTF-16 takes more than three bytes: most records need not be counted.
  const bytes = text.length * 3 <= maxBytes ? text.length : Buffer.byteLength(text);
  if (bytes > maxBytes) throw new RecordFault(`${place} has ${bytes} bytes; at most ${maxBytes} are allowed`);
}

function parse(text: string, place: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new RecordFault(`${place} is not JSON`);
  }
}
