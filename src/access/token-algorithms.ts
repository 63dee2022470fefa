/** Algorithms that an issuer may be trusted with. HS would make everybody who can verify an issuer; none needs no key. */
export const TOKEN_ALGORITHMS = [
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
] as const;
