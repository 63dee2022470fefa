import { readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { configurationPage } from '../../src/config/configuration-page.js';

it('docs/configuration.md is what variables.ts says; else: npm run docs:configuration', async () => {
  const file = 'docs/configuration.md';
  const options = await resolveConfig(file);
  const page = await format(configurationPage(), { ...options, filepath: file });
  expect(readFileSync(file, 'utf8')).toBe(page);
});
