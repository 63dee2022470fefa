import { platformOf, type Platform, type Store } from '../../platform.js';
import { newKey, opened, sealedBy, type Sealed } from './sealing.js';

export interface SealedMemoryOptions extends Partial<Pick<Platform, 'clock'>> {
  /** Milliseconds without a use, after which all is forgotten. 30 minutes by default. */
  readonly idleMs?: number;
}

/** What is forgotten together. */
interface Memory {
  readonly key: ReturnType<typeof newKey>;
  readonly texts: Map<string, Sealed>;
}

/**
 * Texts in memory, sealed by AES-256-GCM under a key that cannot be taken out of the process or page. When nothing was
 * used for 30 minutes, all is forgotten, the key too. Pages need TLS for it. No errors until it is used.
 */
export function sealedMemoryStore({ idleMs = 1_800_000, ...platform }: SealedMemoryOptions = {}): Store {
  const { clock } = platformOf(platform);
  let memory: Memory | null = null;
  let usedAt = 0;
  let cancel = (): void => undefined;
  const isIdle = (): boolean => clock.now() - usedAt >= idleMs;
  const used = (): Memory => {
    // Timers stand while the machine sleeps.
    if (memory === null || isIdle()) memory = { key: newKey(), texts: new Map() };
    usedAt = clock.now();
    cancel();
    cancel = clock.after(idleMs, () => (memory = null), true);
    return memory;
  };
  return {
    async get(name) {
      const { key, texts } = used();
      const sealed = texts.get(name);
      return sealed ? opened(await key, sealed) : null;
    },
    async set(name, text) {
      const { key, texts } = used();
      texts.set(name, await sealedBy(await key, text));
    },
    delete(name) {
      used().texts.delete(name);
      return Promise.resolve();
    },
  };
}
