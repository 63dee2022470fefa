import type { Umbra } from './index.js';
import { type Change, type ShadowState } from './index.js';

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

it('is checked by the compiler', () => expect(typeof typed).toBe('function'));
