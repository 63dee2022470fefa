import Type, { type Static } from 'typebox';
import type { OperationDescription, Tag } from '../http/openapi/describe.js';

const TOKENS: Tag = { name: 'Tokens', description: 'Access tokens for who has a key (OAuth 2)', place: 54 };
const FORM = 'application/x-www-form-urlencoded';
const NO_ISSUER = 'issuer of tokens here: UMBRA_AUTH_ISSUER must be set to the URL of this service';
const EXAMPLE_TOKEN = 'eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJsYW1wIn0.c2ln';

const texts = Type.Array(Type.String());
const client = {
  client_id: Type.Optional(Type.String({ description: '`principal` or `tenant/principal`; or by Basic.' })),
  client_secret: Type.Optional(Type.String({ description: 'A key of the principal; or by Basic.' })),
};
const TokenForm = Type.Object(
  {
    grant_type: Type.Union([Type.Literal('client_credentials'), Type.Literal('refresh_token')]),
    scope: Type.Optional(Type.String({ description: 'Actions of policies such as `iot:*`; `offline_access`.' })),
    refresh_token: Type.Optional(Type.String()),
    ...client,
  },
  { $id: 'TokenForm' },
);
const TokenText = Type.Object({ token: Type.String(), ...client }, { $id: 'TokenText' });
const TokenAnswer = Type.Object(
  {
    access_token: Type.String(),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ description: 'Seconds.' }),
    scope: Type.String(),
    refresh_token: Type.Optional(Type.String()),
  },
  { $id: 'TokenAnswer' },
);
const OAuthFault = Type.Object(
  { error: Type.String(), error_description: Type.String(), code: Type.Optional(Type.String()) },
  { $id: 'OAuthFault', description: 'RFC 6749 section 5.2, with our code.' },
);
const Introspection = Type.Object({ active: Type.Boolean() }, { $id: 'Introspection', description: 'RFC 7662.' });
const Nothing = Type.Object({}, { $id: 'Nothing' });

export const Me = Type.Object(
  {
    tenant: Type.String(),
    principal: Type.String(),
    thing: Type.Union([Type.String(), Type.Null()]),
    roles: texts,
    scopes: Type.Union([texts, Type.Null()], { description: 'null: nothing limits the credential.' }),
    expiresAt: Type.Union([Type.String(), Type.Null()], { description: 'RFC 3339; null: it does not end by itself.' }),
  },
  { $id: 'Me' },
);
export type Me = Static<typeof Me>;

export const Metadata = Type.Object(
  {
    issuer: Type.String(),
    token_endpoint: Type.String(),
    revocation_endpoint: Type.String(),
    introspection_endpoint: Type.String(),
    jwks_uri: Type.String(),
    response_types_supported: texts,
    grant_types_supported: texts,
    token_endpoint_auth_methods_supported: texts,
    revocation_endpoint_auth_methods_supported: texts,
    introspection_endpoint_auth_methods_supported: texts,
    scopes_supported: texts,
  },
  { $id: 'Metadata', description: 'RFC 8414.' },
);
export type Metadata = Static<typeof Metadata>;
const KeySet = Type.Object({ keys: Type.Array(Type.Object({})) }, { $id: 'KeySet', description: 'RFC 7517.' });

const refusals = {
  400: {
    description: 'Refused',
    schema: OAuthFault,
    examples: {
      reused: {
        error: 'invalid_grant',
        error_description: 'the refresh token was used before; all tokens of its login are revoked',
        code: 'AUTH_108',
      },
    },
  },
  401: {
    description: 'The client is not known',
    schema: OAuthFault,
    examples: {
      secret: { error: 'invalid_client', error_description: 'Client or secret is wrong', code: 'AUTH_111' },
    },
  },
  429: {
    description: 'Too many requests, or too many that were refused',
    schema: OAuthFault,
    examples: {
      failures: {
        error: 'temporarily_unavailable',
        error_description:
          'Too many wrong credentials from this address or for this client; wait before the next attempt',
        code: 'AUTH_903',
      },
    },
  },
};
const errors = { noRecord: NO_ISSUER } as const;

export const getToken: OperationDescription = {
  id: 'getToken',
  tag: TOKENS,
  summary: 'Get an access token for a key, or for a refresh token',
  body: {
    schema: TokenForm,
    required: true,
    contentType: FORM,
    examples: { key: { grant_type: 'client_credentials' } },
  },
  answers: {
    200: {
      description: 'The token',
      schema: TokenAnswer,
      examples: { token: { access_token: EXAMPLE_TOKEN, token_type: 'Bearer', expires_in: 3600, scope: '*' } },
    },
    ...refusals,
  },
  errors,
};

export const revoke: OperationDescription = {
  id: 'revokeToken',
  tag: TOKENS,
  summary: 'Revoke a token of the client',
  description: 'RFC 7009. The answer is the same for a text that is no token of the client.',
  body: { schema: TokenText, required: true, contentType: FORM, examples: { token: { token: EXAMPLE_TOKEN } } },
  answers: { 200: { description: 'Revoked', schema: Nothing, examples: { done: {} } }, ...refusals },
  errors,
};

export const introspect: OperationDescription = {
  id: 'introspectToken',
  tag: TOKENS,
  summary: 'What a token holds for',
  description: 'RFC 7662. A client learns of access tokens of its tenant, and of its own refresh tokens.',
  body: { schema: TokenText, required: true, contentType: FORM, examples: { token: { token: EXAMPLE_TOKEN } } },
  answers: {
    200: { description: 'What it holds for', schema: Introspection, examples: { ended: { active: false } } },
    ...refusals,
  },
  errors,
};

export const getMe: OperationDescription = {
  id: 'getMe',
  tag: TOKENS,
  summary: 'Who the caller is',
  answers: {
    200: {
      description: 'The caller',
      schema: Me,
      examples: {
        lamp: { tenant: 'default', principal: 'lamp', thing: 'lamp', roles: ['device'], scopes: null, expiresAt: null },
      },
    },
  },
  errors: { credentialsMissing: '', credentialsUnknown: '', credentialsExpired: '', credentialsRevoked: '' },
};

const ISSUER = 'https://shadows.example.com';
const METHODS = ['client_secret_basic', 'client_secret_post'];

/** What RFC 8414 section 2 asks for. No errors. */
export function metadataOf(issuer: string): Metadata {
  return {
    issuer,
    token_endpoint: `${issuer}/v1/auth/token`,
    revocation_endpoint: `${issuer}/v1/auth/revoke`,
    introspection_endpoint: `${issuer}/v1/auth/introspect`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    // Required; there is no authorization endpoint.
    response_types_supported: [],
    grant_types_supported: ['client_credentials', 'refresh_token'],
    token_endpoint_auth_methods_supported: METHODS,
    revocation_endpoint_auth_methods_supported: METHODS,
    introspection_endpoint_auth_methods_supported: METHODS,
    scopes_supported: ['*', 'iot:*', 'umbra:*', 'offline_access'],
  };
}

export const getMetadata: OperationDescription = {
  id: 'getMetadata',
  tag: TOKENS,
  summary: 'Where the endpoints are',
  answers: { 200: { description: 'RFC 8414', schema: Metadata, examples: { here: metadataOf(ISSUER) } } },
  errors,
};

export const getKeySet: OperationDescription = {
  id: 'getKeySet',
  tag: TOKENS,
  summary: 'The keys that verify access tokens',
  answers: {
    200: {
      description: 'RFC 7517',
      schema: KeySet,
      examples: { keys: { keys: [{ kty: 'EC', crv: 'P-256', x: '…', y: '…', kid: '…', alg: 'ES256', use: 'sig' }] } },
    },
  },
  errors,
};
