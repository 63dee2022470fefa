import { PROMISES } from '../validate/promises.js';
import { mutation, type Mutation } from './mutation.js';

/** What only the scenarios of sinks.ts catch. */
export const SINK_MUTATIONS: readonly Mutation[] = [
  mutation(
    'a cursor of a sink that moves before the other side has confirmed',
    'sinks: owners and servers are lost together',
    [PROMISES.sinkLost],
    [
      'sinks/sink-runner.js #deliver',
      'this.options.sink.deliver(record, run.reading.signal)',
      '(void this.options.sink.deliver(record, run.reading.signal), Promise.resolve())',
    ],
  ),
  mutation(
    'a read cache that takes whatever comes',
    'sinks: owners and servers are lost together',
    [PROMISES.cache],
    [
      'sinks/redis-cache.js',
      'if before > epoch or (before == epoch and tonumber(known[2] or -1) >= revision) then return 0 end',
      '',
    ],
  ),
];
