import { EtcdChannel } from '../../src/store/etcd/client/channel/etcd-channel.js';
import { frame } from '../../src/store/etcd/client/channel/grpc-message.js';
import { classify } from '../../src/store/etcd/client/etcd-error.js';

export const PATH = '/etcdserverpb.KV/Range';
export const QUESTION = frame(Buffer.from('question'));
/** Milliseconds that no call of these tests takes. */
export const AMPLE = 30_000;

const channels: EtcdChannel[] = [];

/** A channel that `closeChannels` closes. */
export function openChannel(
  host: string,
  options: Partial<ConstructorParameters<typeof EtcdChannel>[0]> = {},
): EtcdChannel {
  const channel = new EtcdChannel({ host, credentials: {}, tokens: null, ...options });
  channels.push(channel);
  return channel;
}

export function closeChannels(): void {
  for (const channel of channels.splice(0)) channel.close();
}

/** The error of a call that must fail, with what `classify` makes of it. */
export async function failureOf(call: Promise<unknown>): Promise<{ fault: string; text: string }> {
  const error: unknown = await call.then(
    () => new Error('it was answered'),
    (reason: unknown) => reason,
  );
  return { fault: classify(error), text: String(error) };
}
