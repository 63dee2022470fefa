import type { AedesOptions } from 'aedes';

type Hook<Name extends keyof AedesOptions> = NonNullable<AedesOptions[Name]>;

export type AuthenticateHandler = Hook<'authenticate'>;
export type AuthorizePublishHandler = Hook<'authorizePublish'>;
export type AuthorizeSubscribeHandler = Hook<'authorizeSubscribe'>;
