import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { until } from '../../test/harness/until.js';
import { createLogger } from './logger.js';
import { profileOnSignals, Profiles } from './profiles.js';

let dataDir: string;
let lines: { msg: string; reason?: string; file: string }[];
let heap: () => Readable;
let process: EventEmitter;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'umbra-profiles-'));
  lines = [];
  heap = () => Readable.from(['{"snapshot":{}}']);
  process = new EventEmitter();
  const write = (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]);
  const logger = createLogger({ logLevel: 'info', nodeId: 'n' }, { write });
  profileOnSignals(process, new Profiles({ dataDir, logger, cpuMs: 50, heap: () => heap() }));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const said = (msg: string) => until(`${msg} in the log`, () => lines.find((line) => line.msg === msg));
const files = () => readdirSync(join(dataDir, 'profiles')).sort();

it('a profile of the processor is written by SIGUSR2, for its owner alone', async () => {
  process.emit('SIGUSR2');
  const { file } = await said('a profile is written');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
    nodes: expect.any(Array),
    samples: expect.any(Array),
  });
  expect([statSync(file).mode & 0o777, statSync(join(dataDir, 'profiles')).mode & 0o777]).toEqual([0o600, 0o700]);
  expect(files()).toEqual([expect.stringMatching(/^2.*\.cpuprofile$/)]);
});

it('a heap snapshot is written by SIGIO, and never while another profile is under way', async () => {
  process.emit('SIGUSR2');
  process.emit('SIGIO');
  process.emit('SIGUSR2');
  await said('a profile is written');
  expect(lines.filter(({ msg }) => msg.includes('refused'))).toHaveLength(2);
  lines.length = 0;
  process.emit('SIGIO');
  const { file } = await said('a profile is written');
  expect([file.endsWith('.heapsnapshot'), readFileSync(file, 'utf8')]).toEqual([true, '{"snapshot":{}}']);
});

it('no more than five of a kind are kept, and nothing unfinished or of others is taken for one', async () => {
  mkdirSync(join(dataDir, 'profiles'));
  const old = [1, 2, 3, 4, 5, 6].map((day) => `2020-01-0${day}.heapsnapshot`);
  for (const name of [...old, 'x.heapsnapshot.part', 'notes.txt']) writeFileSync(join(dataDir, 'profiles', name), '');
  process.emit('SIGIO');
  await said('a profile is written');
  expect(files()).toEqual([...old.slice(2), expect.stringMatching(/^20[2-9].*\.heapsnapshot$/), 'notes.txt']);
});

it.each([
  ['a file is in the way of the folder', () => writeFileSync(join(dataDir, 'profiles'), ''), 'EEXIST'],
  [
    'the snapshot breaks off',
    () => {
      heap = () =>
        Readable.from(
          (function* () {
            yield '{';
            throw new Error('no memory');
          })(),
        );
    },
    'no memory',
  ],
])('says why there is none when %s, and takes the next one', async (_, spoil, reason) => {
  spoil();
  process.emit('SIGIO');
  expect((await said('a profile could not be taken')).reason).toContain(reason);
  if (reason === 'EEXIST') rmSync(join(dataDir, 'profiles'));
  else expect(files()).toEqual([]);
  heap = () => Readable.from(['{}']);
  process.emit('SIGIO');
  await said('a profile is written');
});
