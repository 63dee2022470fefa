import { Module, type DynamicModule } from '@nestjs/common';
import { ACCESS_KEYS, type AccessKeyMaker } from '../access/access-key-maker.js';
import type { FailureLimits } from '../access/failure-limits.js';
import { SECRET_KEYS, type SecretKeyMaker } from '../access/secret-key-maker.js';
import { GetMeController } from './get.http.js';
import { IntrospectController } from './introspect.http.js';
import { JwksController } from './jwks.http.js';
import { MetadataController } from './metadata.http.js';
import { OAuthClients } from './oauth-clients.js';
import { RevokeController } from './revoke.http.js';
import type { SecretKeyCredentials } from './secret-key-credentials.js';
import { TOKEN_AUTHORITY, type TokenAuthority } from './token-authority.js';
import { TokenController } from './token.http.js';
import { TokenService } from './token-service.js';
import { LiveTokenPolicy } from './tokens/live-token-policy.js';

export interface AuthParts {
  readonly secretKeys: SecretKeyMaker;
  readonly accessKeys: AccessKeyMaker;
  readonly keyCredentials: SecretKeyCredentials;
  readonly authenticator: FailureLimits;
  /** Null: no issuer is configured. */
  readonly tokens: TokenAuthority | null;
  readonly tokenPolicy: LiveTokenPolicy;
}

/** How callers prove who they are. */
@Module({})
export class AuthModule {
  static forRoot({ authenticator, secretKeys, accessKeys, keyCredentials, ...parts }: AuthParts): DynamicModule {
    const { tokens, tokenPolicy } = parts;
    return {
      module: AuthModule,
      global: true,
      controllers: [
        ...[TokenController, RevokeController, IntrospectController],
        ...[GetMeController, JwksController, MetadataController],
      ],
      providers: [
        { provide: SECRET_KEYS, useValue: secretKeys },
        { provide: ACCESS_KEYS, useValue: accessKeys },
        { provide: TOKEN_AUTHORITY, useValue: tokens },
        { provide: OAuthClients, useValue: new OAuthClients(keyCredentials, authenticator) },
        { provide: LiveTokenPolicy, useValue: tokenPolicy },
        TokenService,
      ],
      exports: [SECRET_KEYS, ACCESS_KEYS, LiveTokenPolicy],
    };
  }
}
