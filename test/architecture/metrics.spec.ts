import { readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { metricsPage } from '../../src/telemetry/metrics-page.js';

it('docs/metrics.md is what the recorders say; else: npm run docs:metrics', async () => {
  const file = 'docs/metrics.md';
  const options = await resolveConfig(file);
  const page = await format(metricsPage(), { ...options, filepath: file });
  expect(readFileSync(file, 'utf8')).toBe(page);
});
