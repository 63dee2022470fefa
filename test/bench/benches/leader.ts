import type { EtcdServer } from '../../harness/etcd.js';
import type { Lab, Side } from '../lab.js';
import { openUpdateLoad } from '../load/update-load.js';
import { atLeast, note, p50, perSecond, ratio, type Result } from '../result.js';

/** Milliseconds from one member to another, as between zones. */
const BETWEEN = 5;

/**
 * A node that knows all members, beside one that knows the leader alone and one that knows a follower alone: any member
 * passes writes on to the leader, and that takes time where the members are apart.
 */
export async function leader(lab: Lab): Promise<Result> {
  const members = await lab.members(3, BETWEEN);
  const leading = await leaderOf(members);
  const following = members.find((member) => member !== leading)!;
  // Few, so that what is told is the way of a write, and not how busy this machine is.
  const devices = lab.size(50, 50, 10);
  const side = async (name: string, etcd: readonly EtcdServer[]): Promise<Side> => {
    const node = await lab.node('umbra', { etcd });
    const load = await openUpdateLoad({ ports: [node.mqttPort], devices, prefix: name });
    lab.onEnd(() => load.end());
    return lab.loaded(load, { node: node.process.pid });
  };
  const found = await lab.alternate({
    all: await side('all', [following, ...members.filter((member) => member !== following)]),
    leader: await side('leader', [leading]),
    follower: await side('follower', [following]),
  });
  return {
    rows: [
      ratio('updates/s, all members known over a follower alone', found.all, found.follower, perSecond, atLeast(1.3)),
      ratio('updates/s, all members known over the leader alone', found.all, found.leader, perSecond, atLeast(0.9)),
      ratio('p50, a follower alone over all members known', found.follower, found.all, p50),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}

async function leaderOf(members: readonly EtcdServer[]): Promise<EtcdServer> {
  for (const member of members) {
    const { leader, header } = await member.client.maintenance.status();
    if (leader === header.member_id) return member;
  }
  throw new Error('no member of etcd leads');
}
