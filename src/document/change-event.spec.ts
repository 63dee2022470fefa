import { changeEvent, changeEventText, withPreviousText, type ChangedShadow } from './change-event.js';

const shadow: ChangedShadow = {
  key: { tenant: 'home', thing: 'lamp', name: null },
  state: { version: 3, desired: { led: 'on' }, reported: { led: 'off' }, metadata: {} },
  change: { kind: 'update', patch: { desired: { led: 'on' } }, principal: 'app', at: 1_700_000_000_000 },
  position: { revision: 17 },
};

describe('changeEvent', () => {
  it('has the change, the difference and the document after it', () => {
    expect(changeEvent(shadow)).toEqual({
      kind: 'updated',
      tenant: 'home',
      thing: 'lamp',
      shadow: null,
      version: 3,
      revision: 17,
      time: '2023-11-14T22:13:20.000Z',
      patch: { desired: { led: 'on' } },
      removed: [],
      delta: { led: 'on' },
      document: { state: { desired: { led: 'on' }, reported: { led: 'off' } }, metadata: {}, version: 3 },
      principal: 'app',
    });
  });

  it('has a client token if and only if the request had one', () => {
    const change = { ...shadow.change, clientToken: 'token' };
    expect(changeEvent({ ...shadow, change })).toMatchObject({ clientToken: 'token' });
    expect(changeEvent(shadow)).not.toHaveProperty('clientToken');
  });

  it.each([
    ['', { traceparent: '00-1-2-01' }],
    ['a="1"', { traceparent: '00-1-2-01', tracestate: 'a="1"' }],
  ])('has the trace of a request that was sampled, with its state %j', (tracestate, members) => {
    const traced = { ...shadow, change: { ...shadow.change, trace: { traceparent: '00-1-2-01', tracestate } } };
    const { traceparent, tracestate: state } = changeEvent(traced);
    expect({ traceparent, ...(state !== undefined && { tracestate: state }) }).toEqual(members);
    expect(JSON.parse(changeEventText(traced))).toEqual(changeEvent(traced));
    expect(changeEvent(shadow)).not.toHaveProperty('traceparent');
  });

  it('has neither difference nor document for a deletion', () => {
    const event = changeEvent({
      ...shadow,
      state: { deleted: true, version: 3, deletedAt: 1_700_000_000 },
      change: { kind: 'delete', principal: 'app', at: 1_700_000_000_000 },
    });
    expect(event).toMatchObject({
      kind: 'deleted',
      version: 3,
      patch: null,
      removed: [''],
      delta: null,
      document: null,
    });
  });

  it('names what its patch removes', () => {
    const change = { ...shadow.change, patch: { desired: { led: null, net: { ssid: null } }, reported: null } };
    expect(changeEvent({ ...shadow, change })).toMatchObject({
      removed: ['/desired/led', '/desired/net/ssid', '/reported'],
    });
  });
});

describe('withPreviousText', () => {
  const event = '{"kind":"updated"}';
  it.each<[string, Parameters<typeof withPreviousText>[1], object]>([
    [
      'the document',
      shadow.state,
      { previous: { state: { desired: { led: 'on' }, reported: { led: 'off' } }, metadata: {}, version: 3 } },
    ],
    ['that there was none', null, { previous: null }],
    ['that it was deleted', { deleted: true, version: 3, deletedAt: 1 }, { previous: null }],
    ['that the storage no longer has it', 'compacted', { previousMissing: 'compacted' }],
  ])('adds %s', (_what, previous, added) => {
    expect(JSON.parse(withPreviousText(event, previous))).toEqual({ kind: 'updated', ...added });
  });
});
