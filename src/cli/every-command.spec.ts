import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Command, Option } from 'commander';
import type { ScriptedFetch, Sent } from '../sdk/testing/index.js';
import { EXIT } from './exit-code.js';
import { programOf } from './program.js';
import { Commands, type Ended } from './testing/commands.js';
import { ROWS, type Row } from './testing/rows.js';
import { silent } from './testing/silent.js';
import { CONTEXT_KEY, MADE_KEY, world } from './testing/world.js';

const leaves = (command: Command, before = ''): readonly { name: string; command: Command }[] =>
  command.commands.flatMap((each) => {
    const name = `${before}${each.name()}`;
    return each.commands.length === 0 ? [{ name, command: each }] : leaves(each, `${name} `);
  });
const program = programOf(silent());
const commands = leaves(program);

it('each command has a row, and each row is that of a command', () => {
  expect(Object.keys(ROWS).sort()).toEqual(commands.map(({ name }) => name).sort());
});

it('no option takes a secret: those that are about one take a file', () => {
  const options = [{ name: 'umbra', command: program }, ...commands].flatMap(({ name, command }) =>
    command.options.filter(isAboutSecrets).map(({ long }) => `${name} ${long}`),
  );
  // It is said in streams and messages, and proves nothing.
  const harmless = ['set --client-token', 'patch --client-token'];
  expect(options.filter((each) => !harmless.includes(each))).toEqual([]);
});

const isAboutSecrets = ({ long, flags, required, optional }: Option): boolean =>
  (required || optional) && /key|secret|token|pass|credential|pin$/.test(long ?? '') && !flags.endsWith('<file>');

it('an option and its opposite leave the value open when neither is given', () => {
  const decided = commands.flatMap(({ name, command }) =>
    command.options
      .filter((each) => each.negate && command.options.some(({ long }) => long === each.long?.replace('--no-', '--')))
      .filter((each) => command.getOptionValue(each.attributeName()) !== undefined)
      .map(({ long }) => `${name} ${long}`),
  );
  expect(decided).toEqual([]);
});

const AUTHORITY: Record<string, string> = {};
beforeAll(async () => {
  const maker = new Commands();
  const files = ['ca.crt', 'ca.key'].map((name) => join(maker.home, name));
  await maker.run(`ca create --name Acme --out ${files[0]} --key-out ${files[1]}`);
  for (const file of files) AUTHORITY[basename(file)] = readFileSync(file, 'utf8');
  maker.remove();
});

let place: Commands;
beforeEach(() => {
  place = new Commands();
  const context = { server: 'http://umbra.test', key: CONTEXT_KEY };
  const folder = join(place.home, '.config', 'umbra');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const contexts = JSON.stringify({ current: 'home', contexts: { home: context, spare: context, more: context } });
  writeFileSync(join(folder, 'config.json'), contexts, { mode: 0o600 });
});
afterEach(() => place.remove());

const asked = new Set<string>();
const ENVIRONMENT: Readonly<Record<string, string | undefined>> = new Proxy(
  {},
  { get: (_, name) => void asked.add(String(name)) },
);
afterAll(() => {
  // No credential: what the environment has, every program that is started from there has too.
  expect([...asked].sort()).toEqual(['NO_COLOR', 'TERM', 'XDG_CONFIG_HOME']);
});

/** Carries out a command of the table. */
async function tried(name: string, { line, files = {}, stdin }: Row, fetch: ScriptedFetch, more = ''): Promise<Ended> {
  const folder = join(place.home, 'files');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [file, text] of Object.entries({ ...AUTHORITY, ...files })) writeFileSync(join(folder, file), text);
  const args = `${name} ${line} ${more}`.replaceAll('HOME', folder).split(' ').filter(Boolean);
  return place.run(args, { fetch, env: ENVIRONMENT, ...(stdin !== undefined && { stdin }) });
}

/** In any of the forms in which a text could be said. */
const SECRETS = [CONTEXT_KEY, MADE_KEY].flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
const shows = ({ stdout, stderr }: Ended): boolean =>
  SECRETS.some((secret) => (stdout + stderr).includes(secret)) || /PRIVATE KEY/.test(stdout + stderr);

/** Refuses what the command is about: its changes, or all that it reads. */
const refusing =
  ({ does }: Row, answer: (sent: Sent) => Response) =>
  (sent: Sent): Response | undefined =>
    does === 'write' && sent.method === 'GET' ? undefined : answer(sent);

/** A refusal that repeats what was sent, as some proxies do. */
const echo =
  (status: number, type: string) =>
  ({ headers, body }: Sent): Response => {
    const detail = `not understood: ${headers['authorization']} ${body} ${MADE_KEY}`;
    return new Response(JSON.stringify({ type: `urn:umbra:problem:${type}`, title: type, status, detail }), { status });
  };

describe.each(Object.entries(ROWS))('%s', (name, row) => {
  it('succeeds, for people and with --json, and shows no secret', async () => {
    const forPeople = await tried(name, row, world());
    const forPrograms = await tried(name, { ...row, ...row.again }, world(), '--json');
    expect([forPeople, forPrograms].map(({ exit, stderr }) => [exit, stderr])).toEqual([
      [EXIT.done, ''],
      [EXIT.done, ''],
    ]);
    if (row.isText) return;
    const lines = forPrograms.stdout.split('\n').filter(Boolean);
    expect(lines.length + forPrograms.json.length).toBe(2 * lines.length);
    expect([forPeople, forPrograms].filter(shows)).toEqual([]);
  });

  if (row.does === 'nothing') return;
  it.each([
    [EXIT.failed, 400, 'invalid-request'],
    [EXIT.notSignedIn, 401, 'credentials-revoked'],
    [EXIT.notAllowed, 403, 'not-allowed'],
    [EXIT.notFound, 404, 'no-record'],
    [EXIT.conflict, 412, 'precondition-failed'],
  ])('ends with %d when the service answers %d, and shows no secret', async (exit, status, type) => {
    const more = exit === EXIT.failed ? '' : '--json';
    const ended = await tried(name, row, world(refusing(row, echo(status, type))), more);
    const expected = row.exits?.[status] ?? exit;
    expect([ended.exit, shows(ended)]).toEqual([expected, false]);
    if (expected !== EXIT.done && more !== '')
      expect(JSON.parse(ended.stderr)).toMatchObject({ error: { exit: expected, message: expect.any(String) } });
  });

  it(`ends with ${row.does === 'write' ? 8 : 7} when the answer is lost`, async () => {
    const lost = refusing(row, () => {
      throw new TypeError(`fetch failed: ${CONTEXT_KEY}`);
    });
    const ended = await tried(name, row, world(lost), '--timeout 0.15 --json');
    expect([ended.exit, shows(ended)]).toEqual([row.does === 'write' ? EXIT.unknownOutcome : EXIT.unreachable, false]);
  });
});
