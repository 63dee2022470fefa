import { difference } from '../model/model.js';
import { shadowId, type Section } from '../model/history.js';
import { stateDigest } from '../model/library-history.js';
import { listThings } from './rest-caller.js';

interface ThingPage {
  readonly shadows: readonly {
    readonly name: string | null;
    readonly version: number;
    readonly state: { readonly desired?: Section; readonly reported?: Section };
  }[];
  readonly next?: string;
}

/**
 * What all shadows of the things hold, by GET /v1/things and GET /v1/things/{thing}: digests by their names. It is of one
 * revision only while nobody writes.
 * @throws Error when there is no answer that tells
 */
export async function listStates(url: string, prefix: string): Promise<Map<string, number>> {
  const states = new Map<string, number>();
  const things = await listThings(url, 100);
  for (const { thing } of things.filter((each) => each.thing.startsWith(prefix)))
    for (let after: string | undefined = ''; after !== undefined;) {
      const response = await fetch(`${url}/v1/things/${thing}?limit=100${after && `&after=${after}`}`);
      if (response.status !== 200) throw new Error(`status ${response.status}`);
      const page = (await response.json()) as ThingPage;
      for (const { name, version, state } of page.shadows) {
        const { desired = {}, reported = {} } = state;
        const shadow = shadowId(thing, name);
        states.set(shadow, stateDigest({ shadow, version, desired, reported, delta: difference(desired, reported) }));
      }
      after = page.next;
    }
  return states;
}
