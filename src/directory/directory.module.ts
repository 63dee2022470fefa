import { Module, type DynamicModule } from '@nestjs/common';
import { ACCESS_DIRECTORY, type AccessDirectory } from './access-directory.js';
import { ACCESS_WRITER, type AccessWriter } from './access-writer.js';
import { Administration } from './administration.js';
import { DirectoryHealth } from './directory.health.js';
import { Seniority } from './seniority.js';

/** The records of access, for the rooms that administer them. */
@Module({})
export class DirectoryModule {
  static forRoot(directory: AccessDirectory, writer: AccessWriter): DynamicModule {
    return {
      module: DirectoryModule,
      global: true,
      providers: [
        { provide: ACCESS_DIRECTORY, useValue: directory },
        { provide: ACCESS_WRITER, useValue: writer },
        Administration,
        Seniority,
        DirectoryHealth,
      ],
      exports: [ACCESS_DIRECTORY, ACCESS_WRITER, Administration, Seniority],
    };
  }
}
