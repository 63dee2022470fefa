/** TLS on Node, as far as a client chooses it. */
export interface TlsOptions {
  /** Authorities that the certificate of the node may be of, PEM; those of Node by default. */
  readonly ca?: string | readonly string[];
  /** Own certificate, with the chain that the node does not have, PEM. */
  readonly cert?: string;
  /** Its private key, PEM. */
  readonly key?: string;
  /** Of the private key. */
  readonly passphrase?: string;
  /**
   * Keys that the node may have: base64 of the SHA-256 of a public key (SPKI), also behind `sha256/`. They are checked
   * beside authority and name. Give the next one too: without it a new key of the node shuts this client out.
   */
  readonly pins?: readonly string[];
}
