import { tokenFunction } from '../auth/index.js';
import type { Auth } from '../auth/auth.js';
import { clientSecret } from '../index.js';
import { ManualClock } from '../testing/manual-clock.js';
import { memoryStore } from '../testing/memory-store.js';
import { scriptedFetch } from '../testing/scripted-fetch.js';
import { scriptedNode } from '../testing/scripted-node.js';
import { Umbra } from '../umbra.js';
import { connect, type DeviceOptions } from './connect.js';
import type { Device } from './device.js';

const HOUR_MS = 3_600_000;
const url = 'https://umbra.example';

/** A service that gives tokens of an hour, and a node that takes them. */
function world() {
  const clock = new ManualClock();
  const passwords: unknown[] = [];
  const fetch = scriptedFetch(({ url: to }) =>
    to.endsWith('/v1/auth/token')
      ? new Response(JSON.stringify({ access_token: `t${fetch.sent.length}`, expires_in: 3_600 }))
      : new Response('{}'),
  );
  const { dial } = scriptedNode({ connect: ({ password }) => void passwords.push(password) });
  const device = async (auth: Auth, more: Partial<DeviceOptions> = {}): Promise<Device> => {
    const connecting = connect({ url: 'mqtts://umbra.example/', thing: 'lamp', auth, clock, fetch, dial, ...more });
    // The caller looks at it.
    connecting.catch(() => undefined);
    await clock.advance(50);
    return connecting;
  };
  const close = async (closing: Device): Promise<void> => {
    const closed = closing.close();
    await clock.advance(6_000);
    await closed;
  };
  return { clock, fetch, passwords, device, close };
}

/** A store that says how many watch it. */
function watched() {
  const about = { watchers: 0 };
  const watch = (): (() => void) => {
    about.watchers++;
    return () => void about.watchers--;
  };
  return { about, store: { ...memoryStore(), watch } };
}

it('a device ends the timers and watches of a session that nobody else has', async () => {
  const { clock, device, close } = world();
  const { about, store } = watched();
  const auth = tokenFunction(() => ({ token: 't', lifetimeMs: HOUR_MS }), { url, store });
  const lamp = await device(auth);
  expect([lamp.connected, about.watchers]).toEqual([true, 1]);
  await close(lamp);
  expect([clock.timers, about.watchers]).toEqual([0, 0]);
});

it.each(['the application', 'the device'])('a session that both have goes on until %s is closed too', async (last) => {
  const { clock, fetch, device, close } = world();
  const { about, store } = watched();
  const auth = tokenFunction(() => ({ token: 't', lifetimeMs: HOUR_MS }), { store });
  const umbra = new Umbra({ url, auth, clock, fetch });
  const lamp = await device(auth);
  if (last === 'the device') umbra.close();
  else await close(lamp);
  expect(about.watchers).toBe(1);
  if (last === 'the device') await close(lamp);
  else umbra.close();
  expect([about.watchers, clock.timers]).toEqual([0, 0]);
});

it.each<[string, (own?: string) => Auth]>([
  [
    'a function',
    (own) => tokenFunction(() => ({ token: 't', lifetimeMs: HOUR_MS }), own === undefined ? {} : { url: own }),
  ],
  ['a secret', (own) => clientSecret('lamp', 'umk_1', own === undefined ? {} : { url: own })],
])('the session of %s is refused with the address of a device alone', async (_, of) => {
  const { clock, fetch, passwords, device, close } = world();
  await expect(device(of())).rejects.toMatchObject({
    ...{ code: 'invalid-argument', message: expect.stringContaining('say its url') as string },
  });
  expect([fetch.sent.length, clock.timers]).toEqual([0, 0]);
  // With one of its own, or that of a client, it is not, and the client may come later.
  const auth = of();
  await expect(device(auth)).rejects.toThrow();
  const umbra = new Umbra({ url, auth, clock, fetch });
  await close(await device(auth));
  umbra.close();
  await close(await device(of(url)));
  expect(passwords).toHaveLength(2);
});

it('two clients that share a secret while it is loaded count once each', async () => {
  const { clock, fetch } = world();
  const auth = clientSecret('dash', 'umk_1', { url });
  const clients = [1, 2].map(() => new Umbra({ url, auth, clock, fetch }));
  const calls = clients.map((umbra) => umbra.call({ path: '/v1/things' }));
  const late = new Umbra({ url, auth, clock, fetch });
  await Promise.all(calls);
  await late.call({ path: '/v1/things' });
  for (const umbra of [...clients, late]) umbra.close();
  expect(clock.timers).toBe(0);
});

it('a client that is closed twice takes no other one along', () => {
  const { clock, fetch } = world();
  const { about, store } = watched();
  const auth = tokenFunction(() => ({ token: 't', lifetimeMs: HOUR_MS }), { url, store });
  const [first, second] = [1, 2].map(() => new Umbra({ url, auth, clock, fetch }));
  first!.close();
  first!.close();
  expect(about.watchers).toBe(1);
  second!.close();
  expect(about.watchers).toBe(0);
});

it.each([
  ['fallback', { url }, {}],
  ['session', {}, { url }],
])('a client that the %s refuses is none of the other', async (_, own, spare) => {
  const { clock, device } = world();
  const [session, fallback] = [watched(), watched()];
  const token = () => ({ token: 't', lifetimeMs: HOUR_MS });
  const other = tokenFunction(token, { ...spare, store: fallback.store });
  const auth = tokenFunction(token, { ...own, store: session.store, fallback: other });
  await expect(device(auth)).rejects.toThrow('say its url');
  expect([session.about.watchers, fallback.about.watchers]).toEqual([0, 0]);
  new Umbra({ url, auth, clock }).close();
  expect([clock.timers, session.about.watchers, fallback.about.watchers]).toEqual([0, 0, 0]);
});

it('the ids of a login are not those of the requests of a device, which others hear of', async () => {
  const { device, close } = world();
  let ids = 0;
  const taken: string[] = [];
  const auth: Auth = {
    attach: (to, platform) => void taken.push(to, platform.newId(), platform.newId()),
    headers: () => Promise.resolve({}),
  };
  const lamp = await device(auth, { newId: () => `id${++ids}` });
  expect(taken).toEqual(['mqtts://umbra.example', 'id1', 'id2']);
  await close(lamp);
});
