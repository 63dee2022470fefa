import { loadDefinition } from '../grpc/grpc-methods.js';
import { changeEvent } from '../document/change-event.js';
import { MemoryShadowStore } from '../store/memory/memory-shadow-store.js';
import { presenceRecord } from '../../test/harness/presence-record.js';
import { writeRecord } from '../store/presence-record.js';
import { PresenceUpdate } from '../store/presence-update.js';
import { thingPresenceEvent } from '../watch/event-text.js';
import { changeMessage, presenceMessage } from './shadow-messages.js';
import { SHADOW_PROTO } from './shadow-proto.js';
import { SHADOW_FILTER, STREAM_PARAMETERS, THING_FILTER, ThingPresence, WatchEvent } from './watch.openapi.js';

interface Described {
  readonly type: { readonly field: readonly { readonly name: string }[] };
}

interface Codec {
  responseSerialize(answer: object): Buffer;
  responseDeserialize(bytes: Buffer): { readonly presence: object };
}

/** Members of a message as programs see them. */
function fieldsOf(message: string): string[] {
  const { type } = loadDefinition(SHADOW_PROTO)[`umbra.v1.${message}`] as unknown as Described;
  return type.field.map(({ name }) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()));
}

describe('the description of gRPC', () => {
  it('has the members of an event that OpenAPI has', () => {
    expect(fieldsOf('Change').sort()).toEqual(Object.keys(WatchEvent.properties).sort());
  });

  it('has the members of an event of presence that OpenAPI has; the message is its kind', () => {
    expect([...fieldsOf('Presence'), 'kind'].sort()).toEqual(Object.keys(ThingPresence.properties).sort());
  });

  it('has the filters of a stream that HTTP has', () => {
    const parameters = [...STREAM_PARAMETERS, SHADOW_FILTER, THING_FILTER].map(({ name }) => name);
    // The header is for browsers, and credit for a WebSocket: gRPC has a window of its own.
    expect([...fieldsOf('WatchRequest'), 'Last-Event-ID', 'credit'].sort()).toEqual(parameters.sort());
  });
});

describe('presence as a message', () => {
  it.each([true, false])('says what its event says, of a client that is connected: %s', (connected) => {
    const value = Buffer.from(writeRecord(presenceRecord('s', connected)));
    const record = new PresenceUpdate('t', 'lamp', { cluster: 'c', epoch: 0, revision: 9 }, value);
    const { responseSerialize, responseDeserialize } = (
      loadDefinition(SHADOW_PROTO)['umbra.v1.Shadows'] as unknown as Record<string, Codec>
    )['Watch']!;
    const { presence } = responseDeserialize(responseSerialize({ presence: presenceMessage(record) }));
    const { kind, lastDisconnect, ...event } = thingPresenceEvent(record);
    expect(kind).toBe('presence');
    expect(presence).toMatchObject({ ...event, ...(lastDisconnect && { lastDisconnect }) });
  });
});

describe('a change as a message', () => {
  const deadline = Infinity;
  const key = { tenant: 't', thing: 'lamp', name: 'a' };

  it('says what its event says', async () => {
    const store = new MemoryShadowStore();
    const record = await store.update(
      key,
      () => ({
        state: { version: 3, desired: { a: 1, b: 2 }, reported: { b: 2 }, metadata: {} },
        change: {
          kind: 'update',
          patch: { desired: { a: 1, c: null } },
          clientToken: 'k',
          principal: 'p',
          at: 1_700_000_000_000,
        },
      }),
      { deadline },
    );
    const before = { version: 2, desired: { b: 2 }, metadata: {} };
    const { kind, patch, delta, document, removed, previous, ...same } = changeMessage(record, before);
    const event = changeEvent(record);
    expect(removed).toEqual({ pointers: event.removed });
    expect(JSON.parse(previous!)).toMatchObject({ version: 2, state: { desired: { b: 2 } } });
    expect(changeMessage(record, 'compacted')).toMatchObject({ previousMissing: 'compacted' });
    expect(Object.keys(changeMessage(record, null))).not.toContain('previous');
    const texts = [patch, delta, document].map((text) => JSON.parse(text!) as unknown);
    expect({ ...same, kind: kind.toLowerCase() }).toEqual({
      ...{ kind: event.kind, tenant: 't', thing: 'lamp', shadow: 'a', version: 3, revision: event.revision },
      ...{ time: '2023-11-14T22:13:20.000Z', clientToken: 'k', principal: 'p' },
    });
    expect(texts).toEqual(JSON.parse(JSON.stringify([event.patch, event.delta, event.document])));
    await store.close();
  });
});
