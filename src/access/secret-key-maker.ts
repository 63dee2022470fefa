/** Makes keys that callers are known by. */
export interface SecretKeyMaker {
  /** A new key: `text` goes to its owner and is kept nowhere; `digest` is stored. No errors. */
  make(): { readonly id: string; readonly text: string; readonly digest: string };
}

/** Injection token of the SecretKeyMaker. */
export const SECRET_KEYS = Symbol('SecretKeys');
