import { Module } from '@nestjs/common';
import { DeleteGroupController } from './delete.http.js';
import { DeleteGroup } from './delete.js';
import { GetGroupController } from './get.http.js';
import { ListGroupsController } from './list.http.js';
import { UpdateGroupController } from './update.http.js';
import { UpdateGroup } from './update.js';

/** Principals that share policies. Administration comes from the global DirectoryModule. */
@Module({
  controllers: [GetGroupController, ListGroupsController, UpdateGroupController, DeleteGroupController],
  providers: [UpdateGroup, DeleteGroup],
})
export class GroupsModule {}
