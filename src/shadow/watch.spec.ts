import type { Authorizer } from '../access/authorizer.js';
import { ANONYMOUS } from '../access/principal.js';
import { ServiceError } from '../errors/service-error.js';
import type { ShadowFeed } from '../store/shadow-feed.js';
import { PresenceUpdate } from '../store/presence-update.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import type { ShadowEvent, WatchHub } from '../watch/subscription.js';
import type { DocumentsBefore } from './documents-before.js';
import { StreamStarts } from './stream-starts.js';
import { WatchShadows } from './watch.js';

const CURSOR = { cluster: 'c', epoch: 0, revision: 3, seen: null };
const EVENT: ShadowEvent = {
  ...{ kind: 'change', cursor: CURSOR },
  record: new PresenceUpdate('default', 'lamp', CURSOR, Buffer.from('{}')),
};

function opened(isOn: boolean, asked: string[], allowed: string, hasPresence = true) {
  const authorizer = {
    ...{ isRequired: true, isActive: () => true, mayEver: () => true, onChange: () => () => undefined },
    allows: (_who: unknown, action: string, resource: string) =>
      asked.push(`${action} ${resource}`) > 0 && allowed === action,
  } as unknown as Authorizer;
  const subscription = { ended: new Promise(() => undefined), close: () => undefined };
  const hub = { subscribe: () => subscription } as unknown as WatchHub;
  const documents = { of: () => Promise.reject(new Error('read')) } as unknown as DocumentsBefore;
  const presence = { isOn, fence: false, leaseSeconds: 10, days: 1, maxClients: 1 };
  const feed = { hasPresence } as ShadowFeed;
  const starts = new StreamStarts(hub, feed, null as never, { presence });
  const shadows = new WatchShadows(hub, authorizer, documents, starts, SILENT_LOGGER);
  const watched = { filter: { tenant: 'default', presence: 'too' as const }, content: () => false, real: true };
  return shadows.watch({ principal: ANONYMOUS, address: '127.0.0.1' }, watched, {});
}

describe('presence in a stream of changes', () => {
  it.each([
    ['umbra:GetPresence', true],
    ['umbra:Watch', false],
  ])('is asked about as presence is: who has %s sees it: %s', (allowed, isSeen) => {
    const asked: string[] = [];
    const watch = opened(true, asked, allowed);
    expect(watch.shows(EVENT)).toBe(isSeen);
    expect(asked).toEqual(['umbra:GetPresence client/lamp']);
    // No document is looked up for it.
    expect(watch.detail(EVENT)).toEqual({});
    watch.close();
  });

  it('is refused where presence is switched off: the stream would be empty for ever', () => {
    expect(() => opened(false, [], '')).toThrow(ServiceError);
    expect(() => opened(false, [], '')).toThrow(/switched off/);
  });

  it('is refused where the storage brings none', () => {
    expect(() => opened(true, [], '', false)).toThrow(/the storage of this node brings no presence/);
  });
});
