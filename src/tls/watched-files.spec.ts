import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../test/harness/until.js';
import { WatchedFiles } from './watched-files.js';

/** Milliseconds between two looks of those that look often. */
const OFTEN_MS = 10;
/** A look that no test waits for. */
const NEVER_MS = 600_000;

describe('files that could not be used', () => {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-watched-'));
  const file = join(folder, 'cert.pem');
  let said: string[];
  let refusal: Error | null;
  let reads: number;
  let unreadable: Error | null;
  let watched: WatchedFiles;
  afterEach(() => watched.stop());
  afterAll(() => rmSync(folder, { recursive: true }));

  function watch(periodMs: number): void {
    [said, refusal, reads, unreadable] = [[], null, 0, null];
    writeFileSync(file, 'one');
    watched = new WatchedFiles([file], {
      use: ([content]) => {
        if (refusal) throw refusal;
        said.push(`used ${String(content)}`);
      },
      onFailed: (error) => void said.push((error as Error).message),
      onSame: () => void said.push('as it was'),
      read: (path) => (reads++, unreadable ? Promise.reject(unreadable) : readFile(path)),
      periodMs,
    });
    watched.start();
  }
  async function ask(): Promise<string | undefined> {
    const before = said.length;
    process.emit('SIGHUP');
    await until('an answer', () => said.length > before);
    return said.at(-1);
  }

  it('are tried again when somebody asks', async () => {
    watch(NEVER_MS);
    expect(await ask()).toBe('as it was');
    writeFileSync(file, 'another');
    refusal = new Error('its authority is unknown');
    expect(await ask()).toBe(refusal.message);
    expect(await ask()).toBe(refusal.message);
    refusal = null;
    expect(await ask()).toBe('used another');
    expect(await ask()).toBe('as it was');
  });

  it('are read again soon when it was for a passing reason, which is said once', async () => {
    watch(OFTEN_MS);
    unreadable = new Error('EMFILE');
    writeFileSync(file, 'another');
    await until('some attempts', () => reads > 2);
    expect(said).toEqual(['EMFILE']);
    unreadable = null;
    await until('its use', () => said.length === 2);
    expect(said).toEqual(['EMFILE', 'used another']);
  });

  it('are not tried again when they were refused and nobody asks', async () => {
    watch(OFTEN_MS);
    refusal = new Error('a key of another certificate');
    writeFileSync(file, 'another');
    await until('a refusal', () => said.length === 1);
    // It has looked in the meantime, since looks are taken in turns.
    expect(await ask()).toBe(refusal.message);
    expect([said.length, reads]).toEqual([2, 2]);
  });
});
