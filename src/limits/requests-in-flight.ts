import type { InFlightLimits, InFlightPlaces } from '../access/in-flight-limits.js';
import type { Principal } from '../access/principal.js';

/** Requests of one principal; it is in the table while there are any. */
class Places implements InFlightPlaces {
  count = 0;

  constructor(
    readonly name: string,
    private readonly table: Map<string, Places>,
  ) {}

  leave(): void {
    if (--this.count === 0) this.table.delete(this.name);
  }
}

/** Counts the requests of each principal that this node has not answered yet, whatever doors and credentials they came by. */
export class RequestsInFlight implements InFlightLimits {
  readonly #byName = new Map<string, Places>();
  readonly #known = new WeakMap<Principal, Places>();

  /** @param ofPrincipal most of one principal; 0: any number @param ofConnection the same of one connection of HTTP */
  constructor(
    readonly ofPrincipal: number,
    readonly ofConnection: number,
  ) {}

  /** Principals with a request in flight. */
  get size(): number {
    return this.#byName.size;
  }

  enter(principal: Principal): InFlightPlaces | null {
    const places = this.#placesOf(principal);
    if (this.ofPrincipal > 0 && places.count >= this.ofPrincipal) return null;
    places.count++;
    return places;
  }

  /** One for all that act as the same principal. */
  #placesOf(principal: Principal): Places {
    const known = this.#known.get(principal);
    if (known !== undefined && known.count > 0) return known;
    const name = known?.name ?? `${principal.tenant}/${principal.id}`;
    const places = this.#byName.get(name) ?? known ?? new Places(name, this.#byName);
    this.#byName.set(name, places);
    if (places !== known) this.#known.set(principal, places);
    return places;
  }
}
