const ALGORITHM = 'AES-GCM';

/** A text that can be read with its key alone. */
export interface Sealed {
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly box: ArrayBuffer;
}

export type Key = Awaited<ReturnType<typeof newKey>>;

/** A key of AES-256 that this process or page can use, and nobody can take out. */
export const newKey = () =>
  globalThis.crypto.subtle.generateKey({ name: ALGORITHM, length: 256 }, false, ['encrypt', 'decrypt']);

export async function sealedBy(key: Key, text: string): Promise<Sealed> {
  const iv = globalThis.crypto.getRandomValues(new Uint8Array(12));
  const box = await globalThis.crypto.subtle.encrypt({ name: ALGORITHM, iv }, key, new TextEncoder().encode(text));
  return { iv, box };
}

/** @throws DOMException OperationError for another key, or a text that was changed */
export async function opened(key: Key, { iv, box }: Sealed): Promise<string> {
  return new TextDecoder().decode(await globalThis.crypto.subtle.decrypt({ name: ALGORITHM, iv }, key, box));
}
