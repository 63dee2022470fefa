/** A record that is not as its format demands. The message says where, and what would be right; it quotes no value. */
export class RecordFault extends Error {
  override readonly name = 'RecordFault';
}

/** What a name may be. */
export interface NameRule {
  readonly pattern: RegExp;
  /** Completes "must be ...". */
  readonly words: string;
}

type Members = Readonly<Record<string, unknown>>;

/** Epoch milliseconds of the year 275760, the last that JavaScript can show. */
const LAST_MS = 8_640_000_000_000_000;

/**
 * Reads the members of one JSON object strictly: each must be there, of its type and within its bounds, and no other may
 * be. What a newer version has added must not be ignored, since it may restrict.
 */
export class RecordReader {
  readonly #read = new Set<string>();

  /** @param place of the object, for messages */
  constructor(
    private readonly members: Members,
    readonly place: string,
  ) {}

  /** @throws RecordFault unless the member is text that the rule allows */
  name(member: string, rule: NameRule): string {
    const value = this.#take(member);
    if (isName(value, rule)) return value;
    throw this.#fault(member, `must be ${rule.words}`);
  }

  /** @throws RecordFault unless the member is null or as name() demands */
  nameOrNull(member: string, rule: NameRule): string | null {
    return this.#take(member) === null ? null : this.name(member, rule);
  }

  /** @throws RecordFault unless the member is text of at most `maxLength` characters */
  text(member: string, maxLength: number): string {
    const value = this.#take(member);
    if (typeof value === 'string' && value.length <= maxLength) return value;
    throw this.#fault(member, `must be text of at most ${maxLength} characters`);
  }

  /** @throws RecordFault unless the member is null or as text() demands */
  textOrNull(member: string, maxLength: number): string | null {
    return this.#take(member) === null ? null : this.text(member, maxLength);
  }

  /** @throws RecordFault unless the member is true or false */
  flag(member: string): boolean {
    const value = this.#take(member);
    if (typeof value === 'boolean') return value;
    throw this.#fault(member, 'must be true or false');
  }

  /** @throws RecordFault unless the member is a whole number of `least` to `most` */
  count(member: string, least: number, most: number): number {
    const value = this.#take(member);
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw this.#fault(member, `must be a whole number of ${least} to ${most}`);
  }

  /**
   * Epoch milliseconds.
   * @throws RecordFault
   */
  timeMs(member: string): number {
    return this.count(member, 0, LAST_MS);
  }

  /** @throws RecordFault unless the member is null or as timeMs() demands */
  timeMsOrNull(member: string): number | null {
    return this.#take(member) === null ? null : this.timeMs(member);
  }

  /** @throws RecordFault unless the member is one of the words */
  choice<Word extends string>(member: string, words: readonly Word[]): Word {
    const value = this.#take(member);
    const found = words.find((word) => word === value);
    if (found === undefined) throw this.#fault(member, `must be one of ${words.join(', ')}`);
    return found;
  }

  /** @throws RecordFault unless the member is a list of at most `most` different names */
  names(member: string, rule: NameRule, most: number): readonly string[] {
    const found = this.#list(member, most);
    if (found.length === 0) return NO_NAMES;
    if (!areNames(found, rule)) {
      const index = found.findIndex((value) => !isName(value, rule));
      throw this.#fault(`${member}[${index}]`, `must be ${rule.words}`);
    }
    if (found.length > 1 && new Set(found).size !== found.length)
      throw this.#fault(member, 'must not name anything twice');
    return found;
  }

  /** @throws RecordFault unless the member is null or as names() demands */
  namesOrNull(member: string, rule: NameRule, most: number): readonly string[] | null {
    return this.#take(member) === null ? null : this.names(member, rule, most);
  }

  /** @throws RecordFault unless the member is a list of at most `most` objects that `read` takes */
  items<T>(member: string, most: number, read: (item: RecordReader) => T): readonly T[] {
    return this.#list(member, most).map((value, i) => readObject(value, `${this.#at(member)}[${i}]`, read));
  }

  /** @throws RecordFault unless the member is an object of at most `most` members, whose names the rule allows */
  entries<T>(
    member: string,
    { rule, most }: { readonly rule: NameRule; readonly most: number },
    read: (owner: RecordReader, name: string) => T,
  ): ReadonlyMap<string, T> {
    return readObject(this.#take(member), this.#at(member), (owner) => {
      const names = Object.keys(owner.members);
      if (names.length > most) throw this.#fault(member, `must not have more than ${most} members`);
      if (!areNames(names, rule)) throw this.#fault(member, `must have members whose names are ${rule.words}`);
      return new Map(names.map((name) => [name, read(owner, name)] as const));
    });
  }

  /** An object below this one, read whole. @throws RecordFault */
  object<T>(member: string, read: (object: RecordReader) => T): T {
    return readObject(this.#take(member), this.#at(member), read);
  }

  /** Lets a member be there that says nothing to readers. No errors. */
  allow(member: string): void {
    this.#read.add(member);
  }

  /** @throws RecordFault when there is a member that was not read */
  end(): void {
    const unknown = Object.keys(this.members).find((member) => !this.#read.has(member));
    if (unknown !== undefined) throw this.#fault(shown(unknown), 'is unknown; remove it');
  }

  #take(member: string): unknown {
    this.#read.add(member);
    if (!Object.hasOwn(this.members, member)) throw this.#fault(member, 'is missing');
    return this.members[member];
  }

  #list(member: string, most: number): readonly unknown[] {
    const value = this.#take(member);
    if (Array.isArray(value) && value.length <= most) return value as readonly unknown[];
    throw this.#fault(member, `must be a list of at most ${most}`);
  }

  #at(member: string): string {
    return `${this.place}.${member}`;
  }

  #fault(member: string, advice: string): RecordFault {
    return new RecordFault(`${this.#at(member)} ${advice}`);
  }
}

/** Reads an object and holds that `read` has read all of it. @throws RecordFault */
export function readObject<T>(value: unknown, place: string, read: (reader: RecordReader) => T): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RecordFault(`${place} must be an object`);
  }
  const reader = new RecordReader(value as Members, place);
  const result = read(reader);
  reader.end();
  return result;
}

const NO_NAMES: readonly string[] = [];

const isName = (value: unknown, { pattern }: NameRule): value is string =>
  typeof value === 'string' && pattern.test(value);

const areNames = (values: readonly unknown[], rule: NameRule): values is readonly string[] =>
  values.every((value) => isName(value, rule));

/** The name of a member as messages show it: whoever wrote it may have chosen anything. */
const shown = (name: string): string => JSON.stringify(name.slice(0, 40));
