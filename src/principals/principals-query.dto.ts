import { IsOptional, IsString } from 'class-validator';
import { PageQuery } from '../http/paging.dto.js';

/** A page of principals. */
export class PrincipalsPageQuery extends PageQuery {
  /** Members of this group alone. */
  @IsOptional()
  @IsString({ message: '$property must be given once' })
  group?: string;
}
