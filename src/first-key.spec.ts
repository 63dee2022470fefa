import { jest } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sayFirstKey } from './first-key.js';

describe('the file of the first key', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'umbra-first-key-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it.each([
    ['a file that everybody may read', (file: string): void => writeFileSync(file, 'before', { mode: 0o644 })],
    ['a link to another file', (file: string): void => symlinkSync(join(dir, 'elsewhere'), file)],
  ])('is readable by its user alone, also in place of %s', (_, plant) => {
    const file = join(dir, 'admin.key');
    writeFileSync(join(dir, 'elsewhere'), 'other');
    plant(file);
    const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    sayFirstKey({ principal: 'admin', key: 'umk_secret' }, dir);
    expect(write.mock.calls.join()).not.toContain('umk_secret');
    write.mockRestore();
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['umk_secret\n', 0o600]);
    expect(readFileSync(join(dir, 'elsewhere'), 'utf8')).toBe('other');
  });
});
