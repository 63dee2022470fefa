import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileOutbox } from './outbox.js';

it.each([true, false])(
  'an outbox in a file has what was saved last, for its owner alone; durable: %s',
  async (durable) => {
    const folder = await mkdtemp(join(tmpdir(), 'umbra-outbox-'));
    const path = join(folder, 'outbox');
    const outbox = fileOutbox(path, { durable });
    expect(await outbox.load('net')).toBeNull();
    for (const text of ['first, which is longer', 'second']) await outbox.save(null, text);
    await outbox.save('net', 'of net');
    await outbox.save('new', 'of new');
    await outbox.save(null, 'last');
    const texts = [await outbox.load(null), await outbox.load('net'), await outbox.load('new')];
    expect(texts).toEqual(['last', 'of net', 'of new']);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readdir(folder)).sort()).toEqual(['outbox', 'outbox.net', 'outbox.new']);
    await expect(fileOutbox(join(folder, 'none', 'x'), { durable }).save(null, '')).rejects.toThrow('ENOENT');
    await rm(folder, { recursive: true });
  },
);
