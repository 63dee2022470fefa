import { Module } from '@nestjs/common';
import { IdempotencyModule } from '../idempotency/idempotency.module.js';
import { LeasesModule } from '../leases/leases.module.js';
import { GuardedTransactions } from './guarded-transactions.js';
import { TransactionGrpc } from './update.grpc.js';
import { TransactionController } from './update.http.js';
import { CommitTransaction } from './update.js';

/** Changes of several shadows as one, and every door to them. */
@Module({
  imports: [LeasesModule, IdempotencyModule],
  controllers: [TransactionController, TransactionGrpc],
  providers: [CommitTransaction, GuardedTransactions],
  exports: [CommitTransaction],
})
export class TransactionsModule {}
