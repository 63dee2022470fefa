import { Module } from '@nestjs/common';
import { IdempotentWrites } from './idempotent-writes.js';

/** Requests that are carried out once, however often they come. */
@Module({ providers: [IdempotentWrites], exports: [IdempotentWrites] })
export class IdempotencyModule {}
