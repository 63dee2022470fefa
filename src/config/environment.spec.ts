/* eslint-disable no-restricted-properties -- the spec of the one reader of the environment */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment } from './environment.js';

describe('readEnvironment', () => {
  const before = process.cwd();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'umbra-env-'));
    process.chdir(folder);
  });
  afterEach(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
    for (const name of Object.keys(process.env)) if (name.startsWith('UMBRA_SPEC_')) delete process.env[name];
  });

  it('is the environment when there is no .env', () => {
    process.env['UMBRA_SPEC_A'] = 'environment';
    expect(readEnvironment()['UMBRA_SPEC_A']).toBe('environment');
  });

  it('has .env below the environment', () => {
    process.env['UMBRA_SPEC_A'] = 'environment';
    writeFileSync('.env', '# comment\nUMBRA_SPEC_A=file\nUMBRA_SPEC_B="file, quoted"\r\n');
    expect(readEnvironment()).toMatchObject({ UMBRA_SPEC_A: 'environment', UMBRA_SPEC_B: 'file, quoted' });
  });

  it('does not pass over a .env that cannot be read', () => {
    mkdirSync('.env');
    expect(() => readEnvironment()).toThrow(/EISDIR|\.env/);
  });
});
