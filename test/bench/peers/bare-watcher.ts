import { connect } from 'node:net';
import { createRequest, WATCH_PATH } from '../../../src/store/etcd/feed/watch-request.js';
import { rangeEnd } from '../../../src/store/etcd/keys.js';
import { writeRequest } from '../../../src/store/etcd/client/http2/header-block.js';
import { Http2Connection } from '../../../src/store/etcd/client/http2/http2-connection.js';

/**
 * What hearing of a revision costs by itself: a watch of one prefix over the HTTP/2 of a node, with its windows, whose
 * bytes are thrown away unread. Arguments: address of etcd, prefix.
 */
const LIMITS = { windowBytes: 4 * 1024 * 1024, waitingBytes: 1024 * 1024 };
const [endpoint = '', prefix = ''] = process.argv.slice(2);
const { hostname: host, port } = new URL(endpoint);

const http2 = new Http2Connection((onread) => connect({ host, port: Number(port), onread }), LIMITS, {
  onOpen: watch,
  onRoom: () => undefined,
  onGoaway: () => undefined,
  onClose: () => process.exit(1),
});

function watch(): void {
  const start = { isSecure: false, authority: `${host}:${port}`, path: WATCH_PATH };
  const stream = http2.open(writeRequest(start, { 'content-type': 'application/grpc', te: 'trailers' }));
  let isCreated = false;
  stream.listen({
    onHeaders: () => undefined,
    // The first message says that the watch was created. It has no door: the port is none.
    onData: () => {
      if (!isCreated) process.stdout.write('0\n');
      isCreated = true;
    },
    onClose: () => process.exit(1),
  });
  stream.write(createRequest({ key: Buffer.from(prefix), rangeEnd: rangeEnd(prefix), startRevision: 0 }));
}
