/** Bodies that several descriptions show. */

const METADATA = { desired: { led: { timestamp: 1700000000 } }, reported: { led: { timestamp: 1699999000 } } };

/**
 * The page sends the first one when "Execute" is pressed on an untouched form, so it takes nothing away. It is also the
 * first by name, for pages that sort.
 */
export const UPDATES = {
  'merge a member': { state: { desired: { led: 'on' } }, clientToken: 'app-17' },
  'merge only at version 3': { state: { desired: { led: 'on' } }, version: 3 },
  'remove a section': { state: { desired: null } },
};

/** As UPDATES. Swagger UI prefers an example that is `null` to all others, so none may be. */
export const MERGE_PATCHES = { 'merge a member': { led: 'on' }, 'remove a member': { blink: null } };

export const SHADOW = {
  state: { desired: { led: 'on' }, reported: { led: 'off' }, delta: { led: 'on' } },
  metadata: METADATA,
  version: 4,
  timestamp: 1700000000,
};

export const OUR_SHADOW = { ...SHADOW, changedAt: '2023-11-14T22:13:20.000Z' };

const CHANGE = {
  kind: 'updated',
  thing: 'lamp-1',
  shadow: null,
  version: 4,
  revision: 1207,
  time: '2023-11-14T22:13:20.000Z',
  patch: { desired: { led: 'on' } },
  delta: { led: 'on' },
  document: { state: { desired: { led: 'on' }, reported: { led: 'off' } }, metadata: METADATA, version: 4 },
  clientToken: 'app-17',
  principal: 'anonymous',
};

export const WATCH_ABOUT = `Server-sent events: \`change\` for each change, in the order of the commits and none left out; \`initial\` for
each shadow there is, if asked for; \`bookmark\` now and then; \`end\` with the reason. Their \`id\`, sent back as \`Last-Event-ID\`,
resumes right behind them, on any node. docs/watch.md has the rest.`;

export const WATCH_EXAMPLE = `retry: 1830

event: change
id: MS5jMS4wLjEyMDcuYWxs
data: ${JSON.stringify(CHANGE)}

event: bookmark
id: MS5jMS4wLjEyMTEuYWxs
data: {"revision":1211}

`;

export const WATCH_ERRORS = {
  invalidRequest: 'Invalid cursor: send one back exactly as it was received',
  cursorGone: 'The changes after the cursor are no longer kept; load the present state',
  tooManyRequests: 'the node has its greatest number of streams',
  internal: '',
  draining: '',
} as const;
