import { NetworkCounts } from '../../access/network-counts.js';
import { networkOf } from '../../access/network-of.js';
import { TooManySessions } from '../../access/session-limits.js';

/** Connections of one network beyond the limit that are taken only to be refused in a CONNACK; more are closed at once. */
const REFUSING = 32;

/** Counts the MQTT connections of each network, from before anybody has said who it is. */
export class AddressLimit {
  readonly #open = new NetworkCounts();
  readonly #excess: TooManySessions;

  /** @param max connections of one network; 0: any number, and none is counted */
  constructor(private readonly max: number) {
    this.#excess = new TooManySessions('address', max);
  }

  /** Networks with a connection. */
  get size(): number {
    return this.#open.size;
  }

  /** The network of an address as this counts; empty: it counts none. */
  networkOf(address: string): string {
    return this.max === 0 ? '' : networkOf(address);
  }

  /** Counts a connection, whatever comes of it, until `left`. @returns null: it is within the limit */
  entered(network: string): TooManySessions | null {
    if (network === '') return null;
    return this.#open.entered(network) > this.max ? this.#excess : null;
  }

  /** Whether so many of a network are being refused that the next one is to be closed without an answer. */
  isFlooded(network: string): boolean {
    return network !== '' && this.#open.of(network) > this.max + REFUSING;
  }

  left(network: string): void {
    if (network !== '') this.#open.left(network);
  }
}
