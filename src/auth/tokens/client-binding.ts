import { createHmac } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { derivedKey } from '../sealed-secret.js';
import type { Binding } from './token-rules.js';

/** Who presents a refresh token. */
export interface Presenter {
  readonly client: string;
  /** IP address of the caller, behind a trusted proxy the one that it tells. */
  readonly address: string;
  /** Header User-Agent; empty: none. */
  readonly agent: string;
}

/** What a family keeps of its presenter: keyed hashes, which without our key tell neither address nor agent. */
export interface BoundTo {
  readonly client: string;
  readonly address: string | null;
  readonly agent: string | null;
}

const HASH_BYTES = 16;
const MAX_AGENT = 1_024;

/** Binds refresh families to who got them, as strictly as the rules of the tenant say. */
export class ClientBinding {
  readonly #key: Uint8Array;

  /** @throws RangeError for a master key that has not 32 bytes */
  constructor(masterKey: Uint8Array) {
    this.#key = derivedKey(masterKey, 'umbra refresh-binding 1');
  }

  /** What is kept of a presenter. No errors. */
  bind({ client, address, agent }: Presenter, binding: Binding): BoundTo {
    return {
      client,
      address: binding === 'client' ? null : this.#hash('address', addressRange(address)),
      agent: binding === 'client+address+agent' ? this.#hash('agent', agent.slice(0, MAX_AGENT)) : null,
    };
  }

  /**
   * Whether the family was bound to this presenter. What the rules did not ask for when the family was bound is not
   * compared. No errors.
   */
  matches(bound: BoundTo, presenter: Presenter, binding: Binding): boolean {
    const now = this.bind(presenter, binding);
    const isSame = (a: string | null, b: string | null): boolean => a === null || b === null || a === b;
    return bound.client === now.client && isSame(bound.address, now.address) && isSame(bound.agent, now.agent);
  }

  #hash(kind: string, text: string): string {
    const hmac = createHmac('sha256', this.#key)
      .update(JSON.stringify([kind, text]))
      .digest();
    return hmac.subarray(0, HASH_BYTES).toString('base64url');
  }
}

/**
 * The network that an address is in: /24 of IPv4, /56 of IPv6, which is what one subscriber gets. IPv4 written as IPv6
 * is IPv4. Anything else is its own range. No errors.
 */
export function addressRange(address: string): string {
  const plain = address.replace(/%.*$/s, '');
  if (isIPv4(plain)) return `${plain.split('.').slice(0, 3).join('.')}.0/24`;
  if (!isIPv6(plain)) return address;
  const groups = groupsOf(plain);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) {
    const [high = 0, low = 0] = groups.slice(6);
    return `${high >> 8}.${high & 255}.${low >> 8}.0/24`;
  }
  const [a = 0, b = 0, c = 0, d = 0] = groups;
  return `${[a, b, c, d & 0xff00].map((group) => group.toString(16)).join(':')}::/56`;
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The URL parser writes the one canonical form, with the IPv4 tail as two groups.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const read = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  if (tail === undefined) return read(head);
  const [first, last] = [read(head), read(tail)];
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}
