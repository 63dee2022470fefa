import { readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { pageOf } from './page.js';
import { programOf } from './program.js';
import { silent } from './testing/silent.js';

it('docs/cli.md is what the commands say; else: npm run docs:cli', async () => {
  const file = 'docs/cli.md';
  const page = await format(pageOf(programOf(silent())), { ...(await resolveConfig(file)), filepath: file });
  expect(readFileSync(file, 'utf8')).toBe(page);
});
