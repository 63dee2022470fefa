import { setTimeout as pause } from 'node:timers/promises';
import type { TcpProxy } from '../../harness/tcp-proxy.js';
import type { Random } from '../plans/random.js';

/** What happens between clients and nodes. */
export interface Paths {
  readonly proxies: readonly TcpProxy[];
  readonly random: Random;
}

/** Milliseconds each way; and, for two chunks of a hundred, until what was lost is there after all. */
const LATENCY_MS = 200;
const LOST = 0.02;
const AGAIN_MS = [200, 600] as const;
/** Milliseconds between two cuts. */
const CUTS_MS = [50, 1_200] as const;

type Heal = () => void;

/** Bytes of TCP are never lost for good: a lost packet comes later, and what is behind it waits. */
function slow({ proxies, random }: Paths): Heal {
  for (const proxy of proxies) {
    proxy.latency(LATENCY_MS);
    proxy.stall(() => (random.next() < LOST ? random.int(...AGAIN_MS) : 0));
  }
  return () => {
    for (const proxy of proxies) {
      proxy.latency(0);
      proxy.stall(() => 0);
    }
  };
}

const mode =
  (chosen: 'blackhole' | 'lose-responses' | 'refuse') =>
  ({ proxies }: Paths): Heal => {
    for (const proxy of proxies) proxy.set(chosen);
    return () => {
      for (const proxy of proxies) {
        proxy.set('pass');
        // Connections that have lost bytes are broken for good.
        proxy.cutAll();
      }
    };
  };

function cuts({ proxies, random }: Paths): Heal {
  const stop = new AbortController();
  const again = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      random.pick(proxies).cutAll();
      await pause(random.int(...CUTS_MS), undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  void again();
  return () => stop.abort();
}

/** As behind a firewall that forgets its connections: new ones pass, and what was sent over the old ones comes late. */
function forgotten({ proxies }: Paths): Heal {
  for (const proxy of proxies) proxy.hold();
  return () => {
    for (const proxy of proxies) proxy.release();
  };
}

export const PATH_FAULTS = {
  cuts,
  blackhole: mode('blackhole'),
  'responses lost': mode('lose-responses'),
  refused: mode('refuse'),
  '200 ms and 2 % lost': slow,
  'connections forgotten': forgotten,
} as const satisfies Record<string, (paths: Paths) => Heal>;

export type PathFault = keyof typeof PATH_FAULTS;
