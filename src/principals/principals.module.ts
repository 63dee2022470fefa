import { Module } from '@nestjs/common';
import { DeletePrincipalController } from './delete.http.js';
import { DeletePrincipal } from './delete.js';
import { GetPrincipalController } from './get.http.js';
import { ListPrincipalsController } from './list.http.js';
import { UpdatePrincipalController } from './update.http.js';
import { UpdatePrincipal } from './update.js';

/** Who may act. Administration comes from the global DirectoryModule. */
@Module({
  controllers: [GetPrincipalController, ListPrincipalsController, UpdatePrincipalController, DeletePrincipalController],
  providers: [UpdatePrincipal, DeletePrincipal],
})
export class PrincipalsModule {}
