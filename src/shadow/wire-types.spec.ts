import { Ajv2020, type AnySchema } from 'ajv/dist/2020.js';
import type { Static } from 'typebox';
import { changeEvent, type ChangeEvent } from '../document/change-event.js';
import type {
  DeleteAccepted as Deleted,
  DeltaMessage,
  DocumentsMessage,
  GetAccepted,
  Rejected as Refusal,
  Snapshot,
  UpdateAccepted as Updated,
} from '../document/messages.js';
import type { UpdateRequest } from '../document/parse-request.js';
import type { AwsShadow, ShadowRead } from './document.openapi.js';
import type { DeleteAccepted, Update, UpdateAccepted } from './shadow.openapi.js';
import type { Delta, Documents, Rejected } from './topics.asyncapi.js';
import { CHANGE_EXAMPLE, WatchEvent } from './watch.openapi.js';

/** Whether each type can stand for the other. `tsc` judges it; a difference does not compile. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

// The pure core writes its own types, since it imports no library; the schemas say the same of them.
const same: readonly [
  Same<Static<typeof AwsShadow>, GetAccepted>,
  Same<Static<typeof UpdateAccepted>, Updated>,
  Same<Static<typeof DeleteAccepted>, Deleted>,
  Same<Static<typeof ShadowRead>, Snapshot>,
  Same<Static<typeof WatchEvent>, ChangeEvent>,
  Same<Static<typeof Update>, UpdateRequest>,
  Same<Static<typeof Delta>, DeltaMessage>,
  Same<Static<typeof Documents>, DocumentsMessage>,
  Same<Static<typeof Rejected>, Refusal>,
] = [true, true, true, true, true, true, true, true, true];

describe('the schemas of the wire', () => {
  it('say the same as the types of the core', () => expect(same).not.toContain(false));

  it('fit every kind of change event, and its example', () => {
    const check = new Ajv2020({ strict: false, validateFormats: false }).compile(WatchEvent as AnySchema);
    const key = { tenant: 'h', thing: 't', name: 'n' };
    const position = { revision: 7 };
    const update = { kind: 'update', patch: { desired: { a: 1 }, reported: null }, principal: 'p', at: 1 } as const;
    const document = { version: 1, desired: { a: 1 }, metadata: { desired: { a: { timestamp: 0 } } } };
    const events = [
      CHANGE_EXAMPLE,
      changeEvent({ key, state: document, change: { ...update, clientToken: 'k' }, position }),
      changeEvent({
        key: { tenant: 'h', thing: 't', name: null },
        state: document,
        change: { ...update, patch: null },
        position,
      }),
      changeEvent({
        key,
        state: { deleted: true, version: 1, deletedAt: 0 },
        change: { kind: 'delete', principal: 'p', at: 1 },
        position,
      }),
    ];
    for (const event of events) expect([check(event), check.errors]).toEqual([true, null]);
    expect(check({ ...events[1], version: '1' })).toBe(false);
  });
});
