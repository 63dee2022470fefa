import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsOptional, Matches } from 'class-validator';
import { MAX_VALUES } from '../watch/watch-filter.js';
import type { AskedClients } from './presence-watch.js';

/** Of a client identifier, or of the beginning of one. */
export const CLIENT_FORM = /^.{1,128}$/su;

const message = 'clientId must be a client identifier, or the beginning of one with * behind it';

/** Of the stream of presence. */
export class WatchPresenceQuery {
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => (value === undefined ? undefined : [value].flat()))
  @ArrayMaxSize(MAX_VALUES, { message: `clientId may be given ${MAX_VALUES} times at most` })
  @Matches(CLIENT_FORM, { each: true, message })
  clientId?: string[];
}

/** Which clients a reader asks for; without a parameter all. No errors. */
export function askedOf({ clientId: asked }: WatchPresenceQuery): AskedClients {
  if (asked === undefined) return { names: null, has: () => true };
  const names = new Set(asked);
  const beginnings = asked.filter((each) => each.endsWith('*')).map((each) => each.slice(0, -1));
  const has = (clientId: string): boolean =>
    names.has(clientId) || beginnings.some((each) => clientId.startsWith(each));
  return { names: beginnings.length === 0 ? [...names] : null, has };
}
