import { setTimeout as pause } from 'node:timers/promises';
import { shadowId, type History } from '../model/history.js';
import type { Random } from '../plans/random.js';
import { listNamed, listShadows, listThings, type Target, type ThingRow } from './rest-caller.js';

interface Listed {
  readonly what: string;
  readonly covers: readonly string[];
  readonly listed: readonly string[];
}

/** Pauses between two calls, in intervals of the traffic: a list costs more than a read. */
const PACE = 4;

/** Lists what there is, through all lists of REST and any node, in pages so small that there are several. */
export class Lister {
  constructor(
    private readonly history: History,
    private readonly targets: readonly Target[],
    private readonly prefix: string,
    private readonly shadows: readonly string[],
    private readonly random: Random,
  ) {}

  async run(intervalMs: number, goesOn: () => boolean): Promise<void> {
    const { history, random } = this;
    while (goesOn()) {
      const { node, url } = random.pick(this.targets);
      const call = random.pick([this.#things, this.#ofThing, this.#named]);
      const from = history.now();
      try {
        const { what, covers, listed } = await call.call(this, url, random.int(1, 3));
        history.lists.push({ what, node, from, to: history.now(), covers, listed: new Set(listed) });
      } catch {
        // No answer, no promise.
      }
      await pause(intervalMs * PACE * (0.5 + random.next()));
    }
  }

  async #things(url: string, limit: number): Promise<Listed> {
    // Things of earlier rounds are there too: pages must not be too many.
    const rows = await listThings(url, limit * 5);
    const ours = rows.filter(({ thing }) => thing.startsWith(this.prefix));
    return { what: 'GET /v1/things', covers: this.shadows, listed: ours.flatMap(idsOf) };
  }

  async #ofThing(url: string, limit: number): Promise<Listed> {
    const thing = this.#thing();
    const covers = this.shadows.filter((shadow) => shadow === thing || shadow.startsWith(`${thing}/`));
    return { what: 'GET /v1/things/{thing}/shadows', covers, listed: idsOf(await listShadows(url, thing, limit)) };
  }

  async #named(url: string, limit: number): Promise<Listed> {
    const thing = this.#thing();
    const covers = this.shadows.filter((shadow) => shadow.startsWith(`${thing}/`));
    const names = await listNamed(url, thing, limit);
    return { what: 'ListNamedShadowsForThing', covers, listed: names.map((name) => shadowId(thing, name)) };
  }

  #thing(): string {
    return this.random.pick(this.shadows).split('/')[0] ?? '';
  }
}

function idsOf({ thing, classic, names }: ThingRow): string[] {
  return [...(classic ? [thing] : []), ...names.map((name) => shadowId(thing, name))];
}
