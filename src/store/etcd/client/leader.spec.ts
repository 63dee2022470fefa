import { leaderOf, type LeaderView } from './leader.js';

const view = (memberId: string, leaderId: string, term: number): LeaderView => ({
  ...{ host: `http://${memberId}`, memberId, leaderId, term },
});

it.each<[string, LeaderView[], string | null]>([
  ['nobody has answered', [], null],
  ['all agree', [view('1', '2', 5), view('2', '2', 5), view('3', '2', 5)], 'http://2'],
  ['one has lost it', [view('1', '0', 5), view('2', '2', 5)], 'http://2'],
  ['nobody has one', [view('1', '0', 6), view('2', '0', 6)], null],
  ['it has not answered', [view('1', '2', 5), view('3', '2', 5)], null],
  ['the former one has been cut off and believes in itself', [view('2', '2', 5), view('1', '3', 6), view('3', '3', 6)], 'http://3'], // prettier-ignore
  ['one that is cut off calls elections in vain', [view('1', '0', 9), view('2', '2', 5)], 'http://2'],
])('finds the leader when %s', (_, views, host) => {
  expect(leaderOf(views)).toBe(host);
});
