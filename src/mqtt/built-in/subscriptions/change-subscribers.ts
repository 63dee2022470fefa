import { NameCounts } from '../../../store/name-counts.js';
import { hashOf } from '../../../store/name-hash.js';
import type { ChangeTail } from '../../../document/change-messages.js';
import { HeldAudience, join, type Audience } from './audience.js';
import type { GrantedFilter } from './granted-filter.js';
import type { ChangeCover } from './topic-filter.js';

/** Slots, and so bytes, that tell which things have subscribers: those of 25,000 devices fill a tenth of them. */
const THING_SLOTS = 2 ** 18;

/** The subscribers of the classic shadow of a thing, and of its named ones. */
class ThingAudience extends HeldAudience {
  /** null: there are none. */
  named: NamedAudiences | null = null;

  ofShadow(name: string | null): Audience | null {
    if (name === null) return this.isEmpty ? null : this;
    return this.named === null ? null : this.named.ofName(name);
  }
}

class NamedAudience extends HeldAudience {
  constructor(readonly name: string) {
    super();
  }
}

class NamedAudiences {
  /** Mostly there is one, and a Map takes four times as much. null: there are none. */
  #byName: NamedAudience | Map<string, NamedAudience> | null = null;
  /** Of filters that leave the name open; null: there are none. */
  #anyName: HeldAudience | null = null;

  get isEmpty(): boolean {
    return this.#byName === null && this.#anyName === null;
  }

  ofName(name: string): Audience | null {
    return join(this.#named(name), this.#anyName);
  }

  /** @param name null: any */
  add(name: string | null, tails: readonly ChangeTail[], granted: GrantedFilter): void {
    if (name === null) (this.#anyName ??= new HeldAudience()).add(tails, granted);
    else (this.#named(name) ?? this.#begin(name)).add(tails, granted);
  }

  remove(name: string | null, tails: readonly ChangeTail[], granted: GrantedFilter): void {
    const audience = name === null ? this.#anyName : this.#named(name);
    audience?.remove(tails, granted);
    if (audience?.isEmpty !== true) return;
    if (name === null) this.#anyName = null;
    else this.#end(name);
  }

  #named(name: string): NamedAudience | null {
    const all = this.#byName;
    if (all instanceof Map) return all.get(name) ?? null;
    return all?.name === name ? all : null;
  }

  #begin(name: string): NamedAudience {
    const audience = new NamedAudience(name);
    const all = this.#byName;
    if (all === null) this.#byName = audience;
    else if (all instanceof Map) all.set(name, audience);
    else this.#byName = new Map([all, audience].map((each) => [each.name, each]));
    return audience;
  }

  #end(name: string): void {
    if (!(this.#byName instanceof Map)) this.#byName = null;
    else if (this.#byName.delete(name) && this.#byName.size === 0) this.#byName = null;
  }
}

/**
 * Who is subscribed to the messages of changes. A node hears of every change in the cluster: one look-up by the thing, as
 * its key names it, finds everybody, or tells that nobody asked. Filters with wildcards are here as well: each leaves the
 * thing open or names one, and so with the shadow, and brings some of the messages.
 */
export class ChangeSubscribers {
  readonly #things = new Map<string, ThingAudience>();
  /** Of the keys of `#things`. */
  readonly #names = new NameCounts(THING_SLOTS);
  /** Of filters that leave the thing open; null: there are none. */
  #anyThing: ThingAudience | null = null;

  add({ thing, classic, name, named }: ChangeCover, granted: GrantedFilter): void {
    const audience = this.#held(thing);
    audience.add(classic, granted);
    if (named.length > 0) (audience.named ??= new NamedAudiences()).add(name, named, granted);
  }

  /** @param granted one that was added */
  remove({ thing, classic, name, named }: ChangeCover, granted: GrantedFilter): void {
    const audience = this.#held(thing);
    audience.remove(classic, granted);
    if (named.length > 0) audience.named?.remove(name, named, granted);
    if (audience.named?.isEmpty) audience.named = null;
    if (!audience.isEmpty || audience.named !== null) return;
    if (thing === null) this.#anyThing = null;
    else if (this.#things.delete(thing)) this.#names.remove(hashOf(thing));
  }

  /** False: no thing whose name has this hash (name-hash.ts) has subscribers. No errors. */
  mayHave(thingHash: number): boolean {
    return this.#anyThing !== null || this.#names.mayHave(thingHash);
  }

  /** The subscribers of a shadow; null: there are none. @param name null: the classic one */
  of(thing: string, name: string | null): Audience | null {
    const own = this.#things.get(thing);
    const any = this.#anyThing;
    if (any === null) return own === undefined ? null : own.ofShadow(name);
    return join(own?.ofShadow(name) ?? null, any.ofShadow(name));
  }

  get isEmpty(): boolean {
    return this.#things.size === 0 && this.#anyThing === null;
  }

  #held(thing: string | null): ThingAudience {
    if (thing === null) return (this.#anyThing ??= new ThingAudience());
    let audience = this.#things.get(thing);
    if (audience === undefined) {
      this.#things.set(thing, (audience = new ThingAudience()));
      this.#names.add(hashOf(thing));
    }
    return audience;
  }
}
