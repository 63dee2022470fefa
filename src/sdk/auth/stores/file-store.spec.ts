import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { platformOf, type Clock } from '../../platform.js';
import { fileStore } from './file-store.js';

const folder = mkdtempSync(join(tmpdir(), 'umbra-tokens-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('keeps texts that only their user can read, and replaces them as a whole', async () => {
  const path = join(folder, 'deep', 'tokens');
  const store = fileStore(path);
  expect(await store.get('a/../b')).toBeNull();
  await store.set('a/../b', 'one');
  await store.set('a/../b', 'two');
  const names = readdirSync(path);
  expect([await store.get('a/../b'), names.length]).toEqual(['two', 1]);
  expect([statSync(path).mode & 0o777, statSync(join(path, names[0]!)).mode & 0o777]).toEqual([0o700, 0o600]);
  await store.delete('a/../b');
  await store.delete('a/../b');
  expect([await store.get('a/../b'), readdirSync(path)]).toEqual([null, []]);
});

it('has a lock that others of the folder heed', async () => {
  const stores = [fileStore(folder), fileStore(folder)];
  let inside = 0;
  let most = 0;
  const turn = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 20 }, (_, n) => stores[n % 2]!.lock('t', turn)));
  await expect(stores[0]!.lock('t', () => Promise.reject(new Error('task')))).rejects.toThrow('task');
  expect([most, readdirSync(folder).filter((name) => name.endsWith('.lock'))]).toEqual([1, []]);
});

it('takes the lock of a process that has died', async () => {
  const path = join(folder, 'dead.token.lock');
  writeFileSync(path, 'other');
  const old = new Date(Date.now() - 61_000);
  utimesSync(path, old, old);
  expect(await fileStore(folder).lock('dead', () => Promise.resolve('mine'))).toBe('mine');
});

it('leaves the lock of who was faster with that of a dead process', async () => {
  const path = join(folder, 'raced.token.lock');
  writeFileSync(path, 'dead');
  const old = new Date(Date.now() - 61_000);
  utimesSync(path, old, old);
  const steps: string[] = [];
  const { clock } = platformOf();
  const slower: Clock = {
    ...clock,
    now() {
      // It has found the old lock; another process takes that away now and has its own.
      if (steps.length === 0) {
        rmSync(path);
        writeFileSync(path, 'faster');
        steps.push('faster');
      }
      return clock.now();
    },
    after(ms, task, mayExit) {
      if (steps.length === 1) {
        steps.push(readFileSync(path, 'utf8'));
        rmSync(path);
      }
      return clock.after(ms, task, mayExit);
    },
  };
  await fileStore(folder, { clock: slower }).lock('raced', () => Promise.resolve(steps.push('slower')));
  expect(steps).toEqual(['faster', 'faster', 'slower']);
  expect(readdirSync(folder).filter((name) => name.startsWith('raced'))).toEqual([]);
});
