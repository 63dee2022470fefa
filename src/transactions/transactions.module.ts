import { Module } from '@nestjs/common';
import { TransactionController } from './update.http.js';
import { CommitTransaction } from './update.js';

/** Changes of several shadows as one, and every door to them. */
@Module({
  controllers: [TransactionController],
  providers: [CommitTransaction],
  exports: [CommitTransaction],
})
export class TransactionsModule {}
