import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyEdit, compiled } from '../faults/plans/edits.js';
import { MUTATIONS } from '../faults/plans/mutations.js';

const SRC = join(process.cwd(), 'src');

/** Mutations of the fault lab replace compiled text. A text that has changed must be noticed here and not after hours. */
describe('the texts that mutations of the fault lab replace', () => {
  it.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))('%s', (_name, { edits }) => {
    const files = new Map<string, string>();
    for (const edit of edits) {
      const source = join(SRC, edit.file.replace(/\.js$/, '.ts'));
      const code = files.get(edit.file) ?? compiled(readFileSync(source, 'utf8'));
      const edited = applyEdit(code, edit);
      expect(edited).not.toBe(code);
      files.set(edit.file, edited);
    }
  });
});
