import { connect } from 'node:http2';
import { rangeEnd } from '../../../src/store/etcd/keys.js';
import { createRequest, WATCH_PATH } from '../../../src/store/etcd/feed/watch-request.js';

/**
 * What hearing of a revision costs by itself: a watch of one prefix over node:http2, with the windows of a node, whose
 * bytes are thrown away unread. Arguments: address of etcd, prefix.
 */
const WINDOW_BYTES = 4 * 1024 * 1024;
const [endpoint = '', prefix = ''] = process.argv.slice(2);

const session = connect(endpoint, { settings: { initialWindowSize: WINDOW_BYTES, enablePush: false } });
session.on('connect', () => session.setLocalWindowSize(WINDOW_BYTES));
const stream = session.request({
  ':method': 'POST',
  ':path': WATCH_PATH,
  'content-type': 'application/grpc',
  te: 'trailers',
});
stream.write(createRequest({ key: Buffer.from(prefix), rangeEnd: rangeEnd(prefix), startRevision: 0 }));
// The first message says that the watch was created. It has no door: the port is none.
stream.once('data', () => process.stdout.write('0\n'));
stream.on('data', () => undefined);
