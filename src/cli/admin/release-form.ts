import { isMap, isScalar, isSeq, parseDocument, type Document } from 'yaml';
import { usage } from '../exit-code.js';
import { placeIn } from '../json-file.js';
import { hasSecret } from '../secrets.js';

/** A version of the software, and the formats of records that it knows. */
export interface Build {
  readonly version: string;
  /** Formats that it reads. */
  readonly reads: readonly number[];
  /** The one that it writes, as UMBRA_RECORD_FORMAT of its nodes says. */
  readonly writes: number;
}

/** What a release has to say before it is let in. */
export interface ReleaseForm {
  readonly what: string;
  readonly who: string;
  readonly from: Build;
  readonly to: Build;
  /** How it is known that both versions run side by side. */
  readonly compatibility: string;
  readonly rollback: string;
  readonly link: string;
  /** Formats of which etcd has no record any more. */
  readonly noLongerStored: readonly number[];
}

/** Members that are texts, with what they are about. */
const TEXTS = {
  what: 'what changes',
  who: 'who answers for it',
  compatibility: 'how it is known that both versions run side by side',
  rollback: 'how the version before comes back',
  link: 'where more is said, such as https://changes.example/42',
} as const;
/** Characters of a text. */
const MOST_CHARACTERS = 4_000;
/** The form of semver.org, of which the last numbers may be missing. */
const VERSION = /^(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:[-+][\w.+-]{1,64})?$/;
/** Formats of records are small numbers. */
const MOST_FORMAT = 99;

type Report = (path: readonly string[], problem: string) => void;

/**
 * Reads a form from YAML or JSON.
 * @throws CliError with the places of all that is missing or wrong
 */
export function formIn(text: string, file: string): ReleaseForm {
  const document = parseDocument(text, { prettyErrors: false });
  const problems = document.errors.map(({ pos, message }) => `${placeIn(file, text, pos[0])}: ${message}`);
  if (problems.length > 0) throw usage(problems.join('\n'));
  if (!isMap(document.contents)) throw usage(`${file}:1:1: a form is a map; umbra ops release --template prints one`);
  if (hasSecret(text)) throw usage(`${file} has a key or a token in it: it is kept, so it may have none`);
  const report: Report = (path, problem) =>
    void problems.push(`${placeIn(file, text, offsetOf(document, path))}: ${problem}`);
  const form = checked(document.toJS() as Record<string, unknown>, report);
  if (problems.length > 0) throw usage(problems.join('\n'));
  return form;
}

/** Of the member, or of the nearest one around it. */
function offsetOf(document: Document.Parsed, path: readonly string[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isScalar(node) || isMap(node) || isSeq(node)) return node.range?.[0] ?? 0;
  }
  return 0;
}

function checked(form: Record<string, unknown>, report: Report): ReleaseForm {
  const known = [...Object.keys(TEXTS), 'from', 'to', 'noLongerStored'];
  for (const name of Object.keys(form))
    if (!known.includes(name)) report([name], `${name} is not known; the members are ${known.join(', ')}`);
  const texts = Object.entries(TEXTS).map(([name, meaning]) => [name, textIn(form[name], name, meaning, report)]);
  const gone = form['noLongerStored'] ?? [];
  if (!isFormats(gone, 0)) report(['noLongerStored'], 'noLongerStored must be a list of formats, such as [1]');
  return {
    ...(Object.fromEntries(texts) as Record<keyof typeof TEXTS, string>),
    from: buildIn(form['from'], 'from', report),
    to: buildIn(form['to'], 'to', report),
    noLongerStored: gone as number[],
  };
}

function textIn(value: unknown, name: string, meaning: string, report: Report): string {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= MOST_CHARACTERS) return value.trim();
  const is = value === undefined || value === null || value === '' ? 'is missing' : 'must be a text';
  report([name], `${name} ${is}: ${meaning}`);
  return '';
}

function buildIn(value: unknown, name: string, report: Report): Build {
  const { version, reads, writes } = (value ?? {}) as Partial<Build>;
  // YAML takes 1.10 for the number 1.1.
  if (typeof version !== 'string' || !VERSION.test(version))
    report([name, 'version'], `${name}.version must be a version as a text, such as '0.2.0'`);
  if (!isFormats(reads, 1)) report([name, 'reads'], `${name}.reads must list the formats of records that it reads`);
  if (!isFormat(writes)) report([name, 'writes'], `${name}.writes must be the format of records that it writes`);
  else if (isFormats(reads, 1) && !reads.includes(writes))
    report([name, 'writes'], `${name}.writes is a format that ${name}.reads does not list`);
  return { version: String(version), reads: reads as number[], writes: writes as number };
}

const isFormat = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_FORMAT;
const isFormats = (value: unknown, least: number): value is number[] =>
  Array.isArray(value) && value.length >= least && value.length <= MOST_FORMAT && value.every(isFormat);

/** What keeps both versions from running side by side, and the one before from coming back. No errors. */
export function incompatibilities({ from, to, noLongerStored }: ReleaseForm): string[] {
  const found = stepFaults(from.version, to.version);
  const lost = from.reads.filter((format) => !to.reads.includes(format) && !noLongerStored.includes(format));
  if (!from.reads.includes(to.writes)) {
    const both = to.reads.filter((format) => from.reads.includes(format));
    const way = both.length > 0 ? `: release it with UMBRA_RECORD_FORMAT=${Math.max(...both)} first` : '';
    found.push(
      `${to.version} writes records of format ${to.writes}, which ${from.version} cannot read; it could not come back${way}`,
    );
  }
  if (lost.length > 0)
    found.push(
      `${to.version} does not read records of format ${lost.join(', ')}, which etcd may still have; noLongerStored says that it has none`,
    );
  return found;
}

/** Nodes run beside those of the version before, not beside any older one. */
function stepFaults(from: string, to: string): string[] {
  const [before, after] = [numbersOf(from), numbersOf(to)];
  const step = after.map((number, at) => number - before[at]!) as [number, number, number];
  const first = step.find((each) => each !== 0) ?? 0;
  if (first < 0) return [`${to} is older than ${from}: umbra ops rollback brings a version back`];
  if (from === to) return [`both versions are ${to}`];
  if (step[0] > 1 || (step[0] === 0 && step[1] > 1))
    return [`${to} is not the version after ${from}: release those between them first, one after the other`];
  return [];
}

function numbersOf(version: string): [number, number, number] {
  const [, major, minor = '0', patch = '0'] = VERSION.exec(version)!;
  return [Number(major), Number(minor), Number(patch)];
}

/** A form to be filled in. No errors. */
export function templateOf(from: Partial<Build>): string {
  const formats = `reads: [${from.reads?.join(', ') ?? ''}], writes: ${from.writes ?? ''}`;
  return [
    ...Object.entries(TEXTS).map(([name, meaning]) => `${name}: # ${meaning}`),
    `from: { version: '${from.version ?? ''}', ${formats} }`,
    '# As `node dist/main.js --record-formats` of the new version says.',
    `to: { version: '', ${formats} }`,
    '',
  ].join('\n');
}
