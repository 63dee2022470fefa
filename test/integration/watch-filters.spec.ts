import { EventReader } from '../harness/event-reader.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';

let node: HttpNode;
const readers: EventReader[] = [];
beforeAll(async () => {
  // No bookmark comes because a stream is idle.
  node = await startHttpNode({ watch: { bookmarkMs: 3_600_000 } });
});
afterEach(() => readers.splice(0).forEach((reader) => reader.close()));
afterAll(() => node.stop());

async function watch(path: string, headers: Record<string, string> = {}): Promise<EventReader> {
  const reader = await EventReader.open(`${node.url}/v1${path}`, headers);
  readers.push(reader);
  return reader;
}
async function update(thing: string, state: unknown, name?: string): Promise<void> {
  const query = name === undefined ? '' : `?name=${name}`;
  const body = JSON.stringify({ state });
  const response = await fetch(`${node.url}/things/${thing}/shadow${query}`, { method: 'POST', body });
  expect(response.status).toBe(200);
}
const remove = (thing: string) => fetch(`${node.url}/things/${thing}/shadow`, { method: 'DELETE' });

/** What a stream with this query brings of the same ten changes. */
async function brought(prefix: string, path: string): Promise<string[]> {
  const reader = await watch(path.replaceAll('$', prefix));
  await update(`${prefix}lamp-1`, { desired: { led: 'on' } });
  await update(`${prefix}lamp-1`, { reported: { led: 'on' } });
  await update(`${prefix}lamp-2`, { desired: { level: { red: 1 } } });
  await update(`${prefix}lamp-2`, { desired: { level: { blue: 2 } } }, 'net');
  await update(`${prefix}door`, { desired: { lock: true } });
  await remove(`${prefix}door`);
  // Of every filter here, so that it is known when nothing more comes.
  await update(`${prefix}lamp-1`, { desired: { led: 'end', level: { red: 9 }, lock: 9 } }, 'net');
  await update(`${prefix}lamp-1`, { desired: { led: 'end', level: { red: 9 }, lock: 9 } });
  await remove(`${prefix}lamp-1`);
  const found: string[] = [];
  for (;;) {
    const { data } = await reader.nextOf('change');
    const { kind, thing, shadow, version } = data as { kind: string; thing: string; shadow: string; version: number };
    const shown = `${thing.slice(prefix.length)}${shadow === null ? '' : `/${shadow}`} ${version}`;
    const isEnd = (data['patch'] as { desired?: { led?: string } } | null)?.desired?.led === 'end';
    if (isEnd || (kind === 'deleted' && thing === `${prefix}lamp-1`)) return found;
    found.push(kind === 'deleted' ? `${shown} deleted` : shown);
  }
}

it.each([
  ['everything', '/watch', ['lamp-1 1', 'lamp-1 2', 'lamp-2 1', 'lamp-2/net 1', 'door 1', 'door 1 deleted']],
  ['a thing', '/watch?thing=$lamp-1', ['lamp-1 1', 'lamp-1 2']],
  ['two things', '/watch?thing=$lamp-1&thing=$door', ['lamp-1 1', 'lamp-1 2', 'door 1', 'door 1 deleted']],
  ['a beginning', '/watch?thing=$lamp-*', ['lamp-1 1', 'lamp-1 2', 'lamp-2 1', 'lamp-2/net 1']],
  ['a named shadow', '/watch?shadow=net', ['lamp-2/net 1']],
  ['classic shadows of some things', '/watch?thing=$lamp*&shadow=.classic', ['lamp-1 1', 'lamp-1 2', 'lamp-2 1']],
  ['deletions', '/watch?kind=deleted', ['door 1 deleted']],
  ['a section', '/watch?path=/reported', ['lamp-1 2', 'door 1 deleted']],
  ['a path', '/watch?path=/desired/level/red', ['lamp-2 1', 'door 1 deleted']],
  ['two paths of updates', '/watch?path=/desired/lock&path=/reported/led&kind=updated', ['lamp-1 2', 'door 1']],
  ['what is not done', '/watch?delta=true', ['lamp-1 1', 'lamp-2 1', 'lamp-2/net 1', 'door 1']],
])('brings of the changes only those of %s', async (what, path, expected) => {
  const prefix = `${what.replaceAll(/[^a-z]/g, '-')}-`;
  expect(await brought(prefix, path)).toEqual(expected);
});

it('brings of one thing only the changes of some shadows', async () => {
  const reader = await watch('/things/one-lamp/watch?shadow=n*&path=/desired');
  await update('one-lamp', { desired: { level: 1 } });
  await update('one-lamp', { reported: { level: 1 } }, 'net');
  await update('one-lamp', { desired: { level: 1 } }, 'net');
  const { data } = await reader.nextOf('change');
  expect([data['thing'], data['shadow'], data['version']]).toEqual(['one-lamp', 'net', 2]);
});

it('brings of the present state what fits', async () => {
  await update('now-1', { desired: { led: 'on' } });
  await update('now-2', { reported: { led: 'on' } });
  await update('now-3', { desired: { led: 'on' }, reported: { led: 'on' } });
  const things = async (query: string): Promise<unknown[]> => {
    const reader = await watch(`/watch?initial=true&thing=now-*&${query}`);
    const found: unknown[] = [];
    for (let event = await reader.next(); event?.event === 'initial'; event = await reader.next())
      found.push(event.data['thing']);
    return found.sort();
  };
  expect(await things('path=/desired/led')).toEqual(['now-1', 'now-3']);
  expect(await things('delta=true')).toEqual(['now-1']);
  expect(await things('kind=deleted')).toEqual([]);
});

it('resumes behind a change within its filter, and says in between how far it is', async () => {
  const path = '/watch?thing=far-lamp&path=/desired';
  const reader = await watch(path);
  const start = (await reader.nextOf('bookmark')).data['revision'] as number;
  // Nothing fits, and the stream is not idle.
  let bookmark: Awaited<ReturnType<EventReader['next']>> = null;
  const told = reader.nextOf('bookmark', 'change').then((event) => (bookmark = event));
  let sent = 0;
  for (; bookmark === null; sent++) await update('far-lamp', { reported: { n: sent } });
  const { event, id, data } = await told;
  expect(event).toBe('bookmark');
  expect(data['revision']).toBeGreaterThan(start);
  reader.close();
  await update('far-lamp', { desired: { n: 1 } });
  await update('far-lamp', { reported: { n: -1 } });
  await update('far-lamp', { desired: { n: 2 } });
  const resumed = await watch(path, { 'last-event-id': id! });
  const patches = [await resumed.nextOf('change'), await resumed.nextOf('change')].map((each) => each.data['patch']);
  expect(patches).toEqual([{ desired: { n: 1 } }, { desired: { n: 2 } }]);
});

it.each([
  ['/watch?things=lamp', /no parameter things/],
  ['/watch?thing=la*mp', /thing must be the name/],
  ['/watch?thing=', /thing must be the name/],
  ['/watch?thing=a%2Fb', /thing must be the name/],
  ['/watch?shadow=.other', /shadow must be the name/],
  ['/watch?kind=changed', /kind must be one of updated, deleted, presence/],
  ['/watch?kind=presence&path=/desired', /path is about documents/],
  // The storage of this node is its memory.
  ['/watch?kind=presence', /the storage of this node brings no presence/],
  ['/things/lamp/watch?kind=updated&kind=presence', /the storage of this node brings no presence/],
  ['/things/lamp/watch?kind=presence&shadow=net', /shadow is about documents/],
  ['/watch?path=desired', /path must be a JSON Pointer/],
  ['/watch?path=/delta/led', /path must be a JSON Pointer/],
  ['/watch?path=/desired/a~2', /path must be a JSON Pointer/],
  [`/watch?path=/desired/${'a'.repeat(1024)}`, /path must be a JSON Pointer/],
  ['/watch?delta=false', /delta must be true/],
  ['/watch?filter=x', /no parameter filter/],
  [`/watch?${'kind=deleted&'.repeat(101)}`, /kind may be given 100 times/],
  ['/things/lamp/watch?thing=lamp', /no parameter thing/],
  ['/things/lamp/shadow/watch?shadow=net', /no parameter shadow/],
])('refuses %s, and opens no stream', async (path, detail) => {
  const response = await fetch(`${node.url}/v1${path}`);
  const body = (await response.json()) as { detail: string };
  expect([response.status, body.detail]).toEqual([400, expect.stringMatching(detail)]);
});
