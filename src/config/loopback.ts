import { isIPv4, isIPv6 } from 'node:net';

/** Whether an address is reachable from this machine only: 127.0.0.0/8, ::1, localhost. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  if (isIPv6(host)) return /^(0{0,4}:){2,7}0{0,3}1$/.test(host);
  return host.toLowerCase() === 'localhost';
}
