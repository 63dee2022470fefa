import { join } from 'node:path';
import { cpuProfile } from '../cpu-profile.js';
import type { Lab, RunningNode, Side } from '../lab.js';
import { bearing, type Showing } from '../load/http-connection.js';
import { signing } from '../load/signed-requests.js';
import { note, row, type Result, type Row } from '../result.js';
import { Secured } from '../secured.js';
import { shares } from '../shares.js';
import { median } from '../statistics.js';
import { devicesOf, storage, updates } from './access.js';
import { nodeCost } from './doors.js';
import { fill, overHttp } from './gets.js';

/** Windows of one profile. */
const RUNS = 5;

/** Where a CPU profile of a node goes, one after another. */
class Profiles {
  readonly #folder: string;
  readonly #rows: Row[] = [];
  readonly #notes: string[] = [];

  constructor(
    private readonly lab: Lab,
    private readonly what: string,
  ) {
    this.#folder = process.env['BENCH_PROFILE_DIR'] ?? lab.folder();
  }

  /** The environment of a node of this name. */
  env(name: string): { readonly BENCH_PROFILE: string } {
    return { BENCH_PROFILE: this.#fileOf(name) };
  }

  /** Microseconds of processor by part and function. @param of name of the node, where several loads share it */
  async take(name: string, { process: node }: RunningNode, side: Side, of = name): Promise<void> {
    const file = this.#fileOf(of);
    const { taken } = await this.lab.alternate({ taken: side });
    const costs = taken.map(nodeCost);
    const profile = await cpuProfile(node, file, async () => {
      // A second has few garbage collections, and more or less of them.
      for (let n = 0; n < RUNS; n++) await side.run();
    });
    this.#rows.push(row(`processor of the node per ${this.what}, ${name}`, costs, undefined, ' µs'));
    this.#notes.push(note(name, taken), ...shares(profile, median(costs)));
  }

  get result(): Result {
    return { rows: this.#rows, notes: this.#notes };
  }

  #fileOf(name: string): string {
    return join(this.#folder, `${name}.cpuprofile`);
  }
}

/** Where the time of a GET goes without credentials and with each kind. */
export async function accessHttpProfile(lab: Lab): Promise<Result> {
  const { etcd, pids } = await storage(lab);
  const profiles = new Profiles(lab, 'GET');
  const off = await lab.node('umbra', { etcd, env: profiles.env('off') });
  const on = await Secured.start(lab, { etcd, env: profiles.env('on') });
  const tokens = await on.tokensFor(new Map([['admin', on.admin]]));
  const aws = await on.accessKey();
  await fill(off.httpPort);
  await fill(on.node.httpPort, on.shown);
  const gets = (node: RunningNode, shown?: Showing): Promise<Side> => overHttp(lab, node.httpPort, pids(node), shown);
  await profiles.take('off', off, await gets(off));
  await profiles.take('key', on.node, await gets(on.node, on.shown), 'on');
  await profiles.take('token', on.node, await gets(on.node, bearing(tokens.get('admin') ?? '')), 'on');
  await profiles.take('signature', on.node, await gets(on.node, signing(aws)), 'on');
  return profiles.result;
}

/** Where the time of an update over MQTT goes without credentials, with keys and with tokens. */
export async function accessProfile(lab: Lab): Promise<Result> {
  const { etcd, pids } = await storage(lab);
  const profiles = new Profiles(lab, 'update');
  const off = await lab.node('umbra', { etcd, env: profiles.env('off') });
  const byKey = await Secured.start(lab, { etcd, env: profiles.env('key') });
  const byToken = await Secured.start(lab, { etcd, env: profiles.env('token') });
  const keys = await byKey.makeDevices(devicesOf(lab));
  const tokens = await byToken.tokensFor(await byToken.makeDevices(devicesOf(lab)));
  const shown = (texts: ReadonlyMap<string, string>) => ({ keyOf: (name: string): string => texts.get(name) ?? '' });
  await profiles.take('off', off, await updates(lab, pids, off));
  await profiles.take('key', byKey.node, await updates(lab, pids, byKey.node, shown(keys)));
  await profiles.take('token', byToken.node, await updates(lab, pids, byToken.node, shown(tokens)));
  return profiles.result;
}
