import { HeldAudience, join, type Audience } from './audience.js';
import type { GrantedFilter } from './granted-filter.js';
import type { ChangeCover } from './topic-filter.js';

/** The subscribers of the classic shadow of a thing, and of its named ones. */
class ThingAudience extends HeldAudience {
  /** null: there are none. */
  named: NamedAudiences | null = null;
}

class NamedAudiences {
  readonly byName = new Map<string, HeldAudience>();
  /** Of filters that leave the name open. */
  readonly anyName = new HeldAudience();

  get isEmpty(): boolean {
    return this.byName.size === 0 && this.anyName.isEmpty;
  }

  of(name: string): Audience | null {
    return join(this.byName.get(name) ?? null, this.anyName.isEmpty ? null : this.anyName);
  }
}

/**
 * Who is subscribed to the messages of changes. A node hears of every change in the cluster: one look-up by the thing, as
 * its key names it, finds everybody, or tells that nobody asked. Filters with wildcards are here as well: each leaves the
 * thing open or names one, and so with the shadow, and brings some of the messages.
 */
export class ChangeSubscribers {
  readonly #things = new Map<string, ThingAudience>();
  /** Of filters that leave the thing open. */
  readonly #anyThing = new ThingAudience();

  add({ thing, classic, name, named }: ChangeCover, granted: GrantedFilter): void {
    const audience = this.#audienceOf(thing);
    audience.add(classic, granted);
    if (named.length === 0) return;
    const shadows = (audience.named ??= new NamedAudiences());
    let shadow = name === null ? shadows.anyName : shadows.byName.get(name);
    if (shadow === undefined) shadows.byName.set(name!, (shadow = new HeldAudience()));
    shadow.add(named, granted);
  }

  /** @param granted one that was added */
  remove({ thing, classic, name, named }: ChangeCover, granted: GrantedFilter): void {
    const audience = this.#audienceOf(thing);
    audience.remove(classic, granted);
    const shadows = audience.named;
    if (shadows !== null && named.length > 0) {
      const shadow = name === null ? shadows.anyName : shadows.byName.get(name);
      shadow?.remove(named, granted);
      if (name !== null && shadow?.isEmpty) shadows.byName.delete(name);
      if (shadows.isEmpty) audience.named = null;
    }
    if (thing !== null && audience.isEmpty && audience.named === null) this.#things.delete(thing);
  }

  /** The subscribers of a shadow; null: there are none. @param name null: the classic one */
  of(thing: string, name: string | null): Audience | null {
    const own = this.#things.get(thing);
    const any = this.#anyThing;
    if (name !== null) return join(own?.named?.of(name) ?? null, any.named?.of(name) ?? null);
    return join(own === undefined || own.isEmpty ? null : own, any.isEmpty ? null : any);
  }

  get isEmpty(): boolean {
    return this.#things.size === 0 && this.#anyThing.isEmpty && this.#anyThing.named === null;
  }

  #audienceOf(thing: string | null): ThingAudience {
    if (thing === null) return this.#anyThing;
    let audience = this.#things.get(thing);
    if (audience === undefined) this.#things.set(thing, (audience = new ThingAudience()));
    return audience;
  }
}
