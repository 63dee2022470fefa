import { Transform } from 'class-transformer';
import { IsBoolean, IsNotEmpty, IsOptional, IsString } from 'class-validator';

const cursorMessage = 'cursor must be given once, as an event of the stream gave it';

export class WatchQuery {
  /** `id` of the last processed event; the header Last-Event-ID overrides it. */
  @IsOptional()
  @IsString({ message: cursorMessage })
  @IsNotEmpty({ message: cursorMessage })
  cursor?: string;

  /** Send the present state first. Has no effect on a stream that resumes. */
  @Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value))
  @IsBoolean({ message: 'initial must be true or false' })
  initial: boolean = false;
}
