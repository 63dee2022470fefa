import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../bench/compile.js';

/**
 * The cache of records counts what it takes: 32 MiB of texts, and a quarter of that for parsed records, live in a heap of
 * 96 MiB. Counted by the bytes of their values alone, parsed records of many small objects took 24 times as much.
 */
describe('the cache of records, filled with legal updates', () => {
  let folder: string;
  beforeAll(() => void (folder = compile(process.cwd())));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['empty objects in an array', 'objects'],
    ['members of other names in each shadow', 'members'],
    ['characters of two bytes', 'wide'],
  ])('lives in a small heap: %s', (_what, kind) => {
    const program = join(folder, 'test', 'harness', 'fill-cache.js');
    const heap = '--max-old-space-size=96';
    const text = execFileSync(process.execPath, [heap, program, '16384', kind, '3500'], { encoding: 'utf8' });
    const { held } = JSON.parse(text) as { held: number };
    expect(held).toBeGreaterThan(1_000);
    expect(held).toBeLessThan(3_500);
  });
});
