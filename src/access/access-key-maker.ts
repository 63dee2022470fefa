/** Makes access keys, which sign requests as AWS does. */
export interface AccessKeyMaker {
  /** A new key: `secret` goes to its owner and is kept nowhere; `sealedSecret` is stored. No errors. */
  make(): { readonly id: string; readonly secret: string; readonly sealedSecret: string };
}

/** Injection token of the AccessKeyMaker. */
export const ACCESS_KEYS = Symbol('AccessKeys');
