import { Module, type DynamicModule } from '@nestjs/common';
import { SECRET_KEYS, type SecretKeyMaker } from '../access/secret-key-maker.js';

/** How callers prove who they are. */
@Module({})
export class AuthModule {
  static forRoot(keys: SecretKeyMaker): DynamicModule {
    return {
      module: AuthModule,
      global: true,
      providers: [{ provide: SECRET_KEYS, useValue: keys }],
      exports: [SECRET_KEYS],
    };
  }
}
