import { Module } from '@nestjs/common';
import { DeleteTenantController } from './delete.http.js';
import { DeleteTenant } from './delete.js';
import { GetTenantController } from './get.http.js';
import { ListTenantsController } from './list.http.js';
import { UpdateTenantController } from './update.http.js';

/** Tenants: what one has, no other can see. Administration comes from the global DirectoryModule. */
@Module({
  controllers: [GetTenantController, ListTenantsController, UpdateTenantController, DeleteTenantController],
  providers: [DeleteTenant],
})
export class TenantsModule {}
