import { BlockList, isIP } from 'node:net';

/** Why an address is refused. */
export type AddressClass = 'loopback' | 'link-local' | 'private' | 'multicast' | 'metadata' | 'reserved';

/** Ranges that no caller may make a node talk to (IANA's registries of special-purpose addresses). First match counts. */
const IPV4: readonly (readonly [AddressClass, ...string[]])[] = [
  // Azure's is a public address; those of other clouds are in the ranges below.
  ['metadata', '168.63.129.16/32', '169.254.169.254/32', '100.100.100.200/32', '192.0.0.192/32'],
  ['loopback', '127.0.0.0/8'],
  ['link-local', '169.254.0.0/16'],
  ['private', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'],
  ['multicast', '224.0.0.0/4'],
  ['reserved', '0.0.0.0/8', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '198.18.0.0/15', '198.51.100.0/24'],
  ['reserved', '203.0.113.0/24', '240.0.0.0/4'],
];
const IPV6: readonly (readonly [AddressClass, ...string[]])[] = [
  ['metadata', 'fd00:ec2::254/128', 'fd20:ce::254/128'],
  ['loopback', '::1/128'],
  ['link-local', 'fe80::/10'],
  ['private', 'fc00::/7', 'fec0::/10'],
  ['multicast', 'ff00::/8'],
  // 2001::/23 holds Teredo and 2002::/16 is 6to4: both carry an IPv4 address of anybody's choice.
  ['reserved', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
];
/** IPv6 that is in use; whatever is outside is reserved, NAT64 and IPv4-compatible addresses among it. */
const GLOBAL = listOf(['2000::/3']);

const TABLES = {
  ipv4: IPV4.map(([name, ...ranges]) => ({ name, list: listOf(ranges) })),
  ipv6: IPV6.map(([name, ...ranges]) => ({ name, list: listOf(ranges) })),
};

interface Plain {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
}

/** The addresses that webhooks may be sent to: public ones, and those that the operator allows. */
export class ReachableAddresses {
  readonly #allowed: BlockList;

  /**
   * @param allowed ranges such as `10.0.0.0/8` or `fd00::1`, which are allowed whatever they are
   * @throws RangeError that names a text that is no range
   */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = listOf(allowed);
  }

  /** Why nothing may be sent to an address; null: it may be. What is no address is refused. No errors. */
  refusalOf(address: string): string | null {
    const plain = plainAddress(address);
    if (plain === null) return `${JSON.stringify(address)} is no address`;
    if (this.#holds(plain)) return null;
    const found = classOf(plain);
    return found === null ? null : `${plain.address} is a ${found} address`;
  }

  /** Whether the operator has named an address; to such ones messages may go without TLS. No errors. */
  isNamed(address: string): boolean {
    const plain = plainAddress(address);
    return plain !== null && this.#holds(plain);
  }

  #holds({ address, family }: Plain): boolean {
    return this.#allowed.check(address, family);
  }
}

function classOf({ address, family }: Plain): AddressClass | null {
  const found = TABLES[family].find(({ list }) => list.check(address, family));
  if (found) return found.name;
  return family === 'ipv6' && !GLOBAL.check(address, 'ipv6') ? 'reserved' : null;
}

/** Without a zone; IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2) as IPv4, however it is written. */
function plainAddress(text: string): Plain | null {
  const address = text.replace(/%.*$/, '');
  if (isIP(address) === 4) return { address, family: 'ipv4' };
  if (isIP(address) !== 6) return null;
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return { address: canonical, family: 'ipv6' };
  const bytes = mapped.slice(1).flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
  return { address: bytes.join('.'), family: 'ipv4' };
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', bits, ...rest] = range.split('/');
    const plain = rest.length === 0 && !network.includes('%') ? plainAddress(network) : null;
    const longest = isIP(network) === 6 ? 128 : 32;
    const length = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
    // A mapped network would need the length of its IPv4 range: it has to be written as that.
    const isMapped = plain?.family === 'ipv4' && longest === 128;
    if (plain === null || isMapped || !(length <= longest))
      throw new RangeError(`${JSON.stringify(range)} is no range of addresses; write one as in 10.0.0.0/8`);
    list.addSubnet(plain.address, length, plain.family);
  }
  return list;
}
