import { IsIn, IsOptional, IsString } from 'class-validator';
import type { AuditOutcome } from '../access/audit.js';
import { PageQuery } from '../http/paging.dto.js';

const once = '$property must be given once';

/** A page of the audit. */
export class AuditPageQuery extends PageQuery {
  @IsOptional()
  @IsString({ message: once })
  actor?: string;

  @IsOptional()
  @IsString({ message: once })
  action?: string;

  @IsOptional()
  @IsString({ message: once })
  target?: string;

  @IsOptional()
  @IsIn(['done', 'refused', 'failed'], { message: '$property must be done, refused or failed' })
  outcome?: AuditOutcome;
}
