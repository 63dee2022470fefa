import { EventEmitter } from 'node:events';
import { status, type Server, type ServerDuplexStream } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';

/** Requests of one call: a client asks for each service and each file once. */
const MAX_REQUESTS = 100;

type Conversation = ServerDuplexStream<object, object>;
type Handler = (call: Conversation) => void;

/** grpc.reflection, v1 and v1alpha, by the library: it answers whatever it is asked, so its bounds stand here. */
export function addReflection(server: Server, definition: PackageDefinition): void {
  const bounded: Pick<Server, 'addService'> = {
    addService: (service, { ServerReflectionInfo }) =>
      server.addService(service, {
        ServerReflectionInfo: (call: Conversation) => converse(call, ServerReflectionInfo as Handler),
      }),
  };
  new ReflectionService(definition).addToServer(bounded as Server);
}

/** Reads a request when the peer has taken the answer to the one before: of those that wait none takes memory. */
function converse(call: Conversation, handler: Handler): void {
  const asked = Object.assign(new EventEmitter(), {
    write: (answer: object) => call.write(answer, () => call.resume()),
    end: () => call.end(),
  });
  handler(asked as unknown as Conversation);
  let requests = 0;
  call.on('data', (request: object) => {
    call.pause();
    requests++;
    if (requests <= MAX_REQUESTS) asked.emit('data', request);
    else call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: `A call may have ${MAX_REQUESTS} requests` });
  });
  call.on('end', () => asked.emit('end'));
}
