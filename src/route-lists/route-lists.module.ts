import { Module } from '@nestjs/common';
import { DeleteRouteListsController } from './delete.http.js';
import { ListRouteListsController } from './list.http.js';
import { UpdateRouteListsController } from './update.http.js';

/** What a listener lets through at all. Administration comes from the global DirectoryModule. */
@Module({ controllers: [ListRouteListsController, UpdateRouteListsController, DeleteRouteListsController] })
export class RouteListsModule {}
