/** RFC 4291 section 2.5.4: who has one address of IPv6 has the whole /64, which is half of its eight groups. */
const GROUPS = 8;
const OF_NETWORK = 4;

/**
 * By what callers are told apart who have not said who they are: an address of IPv4, or the /64 of one of IPv6.
 * Anything else is returned as it is. No errors.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').split('::', 2);
  const first = groupsOf(head);
  const last = groupsOf(tail ?? '');
  const zeros = tail === undefined ? 0 : Math.max(0, GROUPS - first.length - last.length);
  const all = [...first, ...new Array<string>(zeros).fill('0'), ...last];
  return `${all.slice(0, OF_NETWORK).join(':')}::/64`;
}

const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'));
