import { Module } from '@nestjs/common';
import { DeleteTokenPolicyController } from './delete.http.js';
import { GetTokenPolicyController } from './get.http.js';
import { UpdateTokenPolicyController } from './update.http.js';

/** The rules of tokens. LiveTokenPolicy comes from the global AuthModule. */
@Module({ controllers: [GetTokenPolicyController, UpdateTokenPolicyController, DeleteTokenPolicyController] })
export class TokenPolicyModule {}
