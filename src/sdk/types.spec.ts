import * as auth from './auth/index.js';
import { Umbra, type Change, type ShadowState } from './index.js';
import { telemetry } from './telemetry/index.js';

interface Lamp {
  power: 'on' | 'off';
  level: number;
  color: { r: number; g: number };
}
interface Split {
  desired: { target: number };
  reported: { actual: string };
}

/** Held by the compiler: never called. */
export async function typed(umbra: Umbra): Promise<void> {
  const lamp = umbra.thing('lamp').shadow<Lamp>();
  await lamp.desired.patch({ power: 'on', color: { r: null } });
  await lamp.update(({ desired }) => ({ desired: { level: (desired.level ?? 0) + 1 } }));
  // @ts-expect-error -- no value of this member
  await lamp.desired.patch({ power: 'dim' });
  // @ts-expect-error -- no member
  await lamp.reported.patch({ powr: 'on' });
  // @ts-expect-error -- what is replaced is whole
  await lamp.desired.replace({ power: 'on' });
  // @ts-expect-error -- it may not be there
  (await lamp.get()).version.toFixed();
  // @ts-expect-error -- a member may not be set
  (await lamp.get())?.desired.level.toFixed();

  const split = umbra.thing('lamp').shadow<Split>('net');
  await split.patch({ desired: { target: 1 }, reported: { actual: null } });
  // @ts-expect-error -- of the other section
  await split.reported.patch({ target: 1 });

  const change = (await umbra.watch<Lamp>().next()).value as Change<Lamp>;
  const power: Lamp['power'] | undefined = change.document?.state.desired?.power;
  const cached: ShadowState<Lamp> | undefined = umbra.cache<Lamp>({ things: 'lamp-*' }).get('lamp-1', null);
  // @ts-expect-error -- a cache does not filter by content
  umbra.cache({ paths: '/desired' });
  umbra
    .thing('any')
    .shadow()
    .desired.patch({ whatever: [power, cached] })
    .catch(String);
}

/** What sources of credentials, and telemetry, do not take. */
export function refused(url: string): void {
  // @ts-expect-error -- a login without an issuer
  auth.oidc({ clientId: 'dash' });
  // @ts-expect-error -- a certificate without its key
  auth.certificate({ cert: 'PEM' });
  // @ts-expect-error -- no session: a key has nothing to renew
  telemetry().session(auth.apiKey('umk_'));
  const umbra: Umbra = telemetry().use(new Umbra({ url }));
  // @ts-expect-error -- a link has to answer
  umbra.use(() => undefined);
}

it('is checked by the compiler', () => expect([typeof typed, typeof refused]).toEqual(['function', 'function']));
