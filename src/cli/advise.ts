import type { GlobalOptions } from './session.js';

/** Writes the command of some words, for people to run. */
export type Advise = (...words: readonly string[]) => string;

/** What decides which service a command talks to, and as whom. */
type Target = Pick<GlobalOptions, 'context' | 'server' | 'keyFile'>;

/** What a shell takes as one word, and as it stands. */
const PLAIN = /^[\w@%+=:,./-]+$/;

const quoted = (word: string): string => (PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/**
 * Advises commands that go where this one went. `--yes` is not repeated: what is advised may delete something.
 * @param target the global options of this command, as they were given
 * @param tenant likewise, of its `--tenant`
 */
export function adviserFor({ context, server, keyFile }: Target, tenant?: string): Advise {
  const begin = [
    'umbra',
    ...(context === undefined ? [] : ['--context', context]),
    ...(server === undefined ? [] : ['--server', server]),
    ...(keyFile === undefined ? [] : ['--key-file', keyFile]),
  ];
  const end = tenant === undefined ? [] : ['--tenant', tenant];
  return (...words) => [...begin, ...words, ...end].map(quoted).join(' ');
}
