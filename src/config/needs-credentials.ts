import { isLoopback } from './loopback.js';

/**
 * Whether clients have to prove who they are: wherever strangers may come, unless it was said that something else keeps
 * them out.
 * @param hosts addresses that the node listens on
 */
export function needsCredentials(mode: 'auto' | 'on' | 'off', isInsecure: boolean, hosts: readonly string[]): boolean {
  if (mode !== 'auto') return mode === 'on';
  return !isInsecure && !hosts.every(isLoopback);
}
