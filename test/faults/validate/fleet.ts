import type { Answer } from '../actors/request.js';
import type { Commit } from '../model/commit.js';
import { groupOf, type FleetHistory, type KeyedRequest, type Promotion } from '../model/fleet-history.js';
import { same } from '../model/model.js';
import type { Report } from './findings.js';
import { PROMISES } from './promises.js';

/** Milliseconds by which the lab may hear of a commit later than it was made. */
const LATE_MS = 1_000;

/** Leases, keys and promotions, against what etcd has kept. */
export function judgeFleet(history: FleetHistory, report: Report): void {
  for (const commit of history.commits) checkFence(commit, history, report);
  for (const request of history.keyed) checkKeyed(request, history.made.get(request.id) ?? [], report);
  const byShadow = new Map<string, Map<number, Commit>>();
  for (const commit of history.commits) {
    const versions = byShadow.get(commit.shadow) ?? new Map<number, Commit>();
    if (!commit.deleted) versions.set(commit.version, commit);
    byShadow.set(commit.shadow, versions);
  }
  for (const promotion of history.promotions) checkPromotion(promotion, history, byShadow, report);
}

/** The document carries the token of the lease that it was written under. */
function checkFence(
  { patch, thing, revision, token: id }: Commit,
  { leases, late }: FleetHistory,
  report: Report,
): void {
  const token = patch?.desired?.['token'];
  if (typeof token !== 'number') return;
  const later = leases.find((each) => each.group === groupOf(thing) && token < each.token && each.token <= revision);
  if (!later) return;
  const status = late.find((each) => each.id === id)?.status;
  const answer = status === undefined ? '' : `, and was answered ${status}`;
  report(PROMISES.fenced, `${id} under lease ${token} is at revision ${revision}, after ${later.token}${answer}`);
}

function checkKeyed({ id, shadows, repeatedAt, answers }: KeyedRequest, made: readonly Commit[], report: Report): void {
  const revisions = new Set(made.map(({ revision }) => revision));
  if (revisions.size > 1) report(PROMISES.twice, `${id} is at revisions ${[...revisions].join(' and ')}`);
  const [first, ...more] = answers;
  if (!first) return report(PROMISES.serves, `${id} was never answered`);
  for (const each of more)
    if (each.text !== first.text || each.status !== first.status || each.revision !== first.revision)
      report(PROMISES.sameAnswer, `${id}: ${first.status} ${first.text}, then ${each.status} ${each.text}`);
  if (first.status !== 200) {
    if (made.length > 0) report(PROMISES.rejected, `${id} (${first.status}) is at revision ${made[0]?.revision}`);
    return;
  }
  const wanted = shadows.map((shadow) => made.find((commit) => commit.shadow === shadow));
  for (const [i, commit] of wanted.entries()) {
    if (!commit) report(PROMISES.lost, `${id} was answered 200, and is not in ${shadows[i]}`);
    else checkAnswer(id, first, commit, i, report);
  }
  const isEarly = made.some(({ at }) => at + LATE_MS < repeatedAt);
  if (isEarly && !first.isReplayed)
    report(PROMISES.sameAnswer, `${id} was carried out before, and not answered as that`);
}

function checkAnswer(id: string, answer: Answer, commit: Commit, place: number, report: Report): void {
  const body = JSON.parse(answer.text) as { version?: number; results?: { version: number }[] };
  const version = body.results ? body.results[place]?.version : body.version;
  if (answer.revision !== commit.revision || version !== commit.version) {
    const told = `version ${version} at revision ${answer.revision}`;
    report(PROMISES.sameAnswer, `${id} was told ${told}, and is ${commit.version} at ${commit.revision}`);
  }
}

function checkPromotion(
  promotion: Promotion,
  { made }: FleetHistory,
  byShadow: ReadonlyMap<string, ReadonlyMap<number, Commit>>,
  report: Report,
): void {
  const { id, thing, from, fromVersion, version, outcome } = promotion;
  const all = (made.get(id) ?? []).filter((commit) => commit.thing === thing);
  const live = all.filter(({ name }) => name === null);
  const noted = all.find(({ name }) => name === from);
  if (live.length > 1) report(PROMISES.twice, `${id} went live ${live.length} times`);
  if (outcome === 'rejected' && live.length > 0) report(PROMISES.rejected, `${id} is live as ${live[0]?.version}`);
  if (outcome === 'acked' && live.length === 0) report(PROMISES.lost, `${id} was acknowledged, and is not live`);
  const [made1] = live;
  if (!made1) return;
  const staged = byShadow.get(`${thing}/${from}`)?.get(fromVersion);
  const wrong = [
    made1.version !== version + 1 && `it was guarded by version ${version} and is ${made1.version}`,
    (!staged || !same(staged.desired, made1.desired)) && `version ${fromVersion} of ${from} had other members`,
    noted?.revision !== made1.revision && `the staged shadow does not say so at revision ${made1.revision}`,
    noted?.version !== fromVersion + 1 && `${from} was not at ${fromVersion}, but before ${noted?.version}`,
    noteOf(noted) !== made1.version && `${from} says that it became ${noteOf(noted)}`,
  ].filter((each) => each !== false);
  if (wrong.length > 0) report(PROMISES.promoted, `${id} made ${thing} ${made1.version}: ${wrong.join('; ')}`);
}

function noteOf(noted: Commit | undefined): unknown {
  return (noted?.reported['promoted'] as { version?: number } | undefined)?.version;
}
