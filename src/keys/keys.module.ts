import { Module } from '@nestjs/common';
import { DeleteKeyController } from './delete.http.js';
import { ListKeysController } from './list.http.js';
import { UpdateKeyController } from './update.http.js';
import { UpdateKey } from './update.js';

/** Keys by which principals are known. SECRET_KEYS comes from the AuthModule. */
@Module({
  controllers: [ListKeysController, UpdateKeyController, DeleteKeyController],
  providers: [UpdateKey],
})
export class KeysModule {}
