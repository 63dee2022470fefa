import { Transform } from 'class-transformer';
import { IsBoolean, IsNotEmpty, IsOptional, IsString } from 'class-validator';

const cursorMessage = 'cursor must be given once, as an event of the stream gave it';

export class WatchQuery {
  /** `id` of the last event that was dealt with; the header Last-Event-ID counts before it. */
  @IsOptional()
  @IsString({ message: cursorMessage })
  @IsNotEmpty({ message: cursorMessage })
  cursor?: string;

  /** Send the present state first. Without effect on a stream that resumes. */
  @Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value))
  @IsBoolean({ message: 'initial must be true or false' })
  initial: boolean = false;
}
